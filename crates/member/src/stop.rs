//! Whether a member may be stopped now.

use crate::changes::{Configured, SetView};

/// The members that have to come back before `me` is stopped: with it the voters that are well are a majority, without it they
/// are none. Empty when it may be stopped, and when waiting would save nothing. `leaving` are hosts that are being stopped,
/// which the set's own status calls healthy until they are gone.
pub fn awaited<'a>(set: &'a SetView, me: &str, leaving: &[String]) -> Vec<&'a str> {
    let is_me = |host: &str| host.eq_ignore_ascii_case(me);
    let voters: Vec<&Configured> = set.members.iter().filter(|member| member.is_voter()).collect();
    if !voters.iter().any(|member| is_me(&member.host)) {
        return Vec::new();
    }
    let others = voters.iter().copied().filter(|member| !is_me(&member.host));
    let (well, away): (Vec<&Configured>, Vec<&Configured>) =
        others.partition(|member| member.is_healthy() && !leaving.contains(&member.host));
    let is_majority = |count: usize| count * 2 > voters.len();
    if is_majority(well.len()) || !is_majority(well.len() + 1) {
        return Vec::new();
    }
    away.into_iter().map(|member| member.host.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::State;

    /// One member for each letter: `p`rimary, `s`econdary, `a`rbiter, `u`nwell; a capital has no vote.
    fn set(states: &str) -> SetView {
        let member = |(index, state): (usize, char)| Configured {
            host: format!("m{index}"),
            votes: i64::from(state.is_ascii_lowercase()),
            priority: 1.0,
            joining: false,
            state: match state.to_ascii_lowercase() {
                'p' => State::Primary,
                's' => State::Secondary,
                'a' => State::Arbiter,
                _ => State::Unwell,
            },
            lag_seconds: None,
        };
        SetView { replica_set_id: "id".to_owned(), members: states.chars().enumerate().map(member).collect() }
    }

    #[test]
    fn a_member_waits_while_the_others_alone_are_no_majority() {
        for (me, states, leaving, expected) in [
            ("m1", "pss", &[][..], &[][..]),
            ("m1", "psu", &[], &["m2"]),
            ("m1", "usp", &[], &["m0"]),
            ("m1", "pss", &["m2"], &["m2"]),
            ("m1", "psa", &[], &[]),
            ("M0", "pua", &[], &["m1"]),
            ("m1", "psssu", &[], &[]),
            ("m1", "pssuu", &[], &["m3", "m4"]),
            // Without a vote it is neither missed nor counted.
            ("m1", "pssU", &[], &[]),
            ("m1", "psuS", &[], &["m2"]),
        ] {
            let leaving: Vec<String> = leaving.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(awaited(&set(states), me, &leaving), expected, "{me} of {states} {leaving:?}");
        }
    }

    #[test]
    fn nobody_waits_for_what_waiting_does_not_save() {
        assert!(awaited(&set("p"), "m0", &[]).is_empty(), "alone");
        assert!(awaited(&set("ps"), "m0", &[]).is_empty(), "nobody is away");
        assert!(awaited(&set("usu"), "m1", &[]).is_empty(), "the majority is gone already");
        assert!(awaited(&set("puS"), "m2", &[]).is_empty(), "no vote");
        assert!(awaited(&set("psu"), "other", &[]).is_empty(), "removed from the set");
    }
}
