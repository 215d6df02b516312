use proptest::prelude::*;

use super::*;

fn hosts() -> Hosts {
    Hosts::template("db-{ordinal}:1").unwrap()
}

fn member(host: &str, state: State) -> Configured {
    Configured { host: host.to_owned(), votes: 1, priority: 1.0, joining: false, state, lag_seconds: Some(0) }
}

fn joining(host: &str, state: State) -> Configured {
    Configured { votes: 0, priority: 0.0, joining: true, ..member(host, state) }
}

fn set(members: Vec<Configured>) -> SetView {
    SetView { replica_set_id: "id".to_owned(), members }
}

/// Ordinal 0 is the primary.
fn healthy(count: u32) -> Vec<Configured> {
    let state = |ordinal| if ordinal == 0 { State::Primary } else { State::Secondary };
    (0..count).map(|ordinal| member(&format!("db-{ordinal}:1"), state(ordinal))).collect()
}

fn next(members: Vec<Configured>, wanted: u32) -> Decision {
    decide(&set(members), &hosts(), wanted, &[])
}

#[test]
fn a_set_that_is_as_wanted_is_left_alone() {
    assert_eq!(next(healthy(3), 3), Decision::Settled);
}

#[test]
fn a_member_joins_without_a_vote_and_gets_it_when_it_has_caught_up() {
    assert_eq!(next(healthy(3), 5), Decision::Do(Change::Add("db-3:1".to_owned())));
    let mut members = healthy(3);
    members.push(joining("db-3:1", State::Unwell));
    assert_eq!(next(members.clone(), 5), Decision::Wait(Hindrance::Joining("db-3:1".to_owned())), "one at a time");
    members[3] = Configured { lag_seconds: Some(60), ..joining("db-3:1", State::Secondary) };
    assert_eq!(next(members.clone(), 5), Decision::Wait(Hindrance::Joining("db-3:1".to_owned())));
    members[3] = joining("db-3:1", State::Secondary);
    assert_eq!(next(members, 5), Decision::Do(Change::Promote("db-3:1".to_owned())));
}

#[test]
fn a_member_that_a_person_left_without_a_vote_keeps_none() {
    let mut members = healthy(3);
    members[2] = Configured { joining: false, ..joining("db-2:1", State::Secondary) };
    assert_eq!(next(members, 3), Decision::Settled);
}

#[test]
fn an_eighth_member_stays_without_a_vote() {
    let mut members = healthy(7);
    members.push(joining("db-7:1", State::Secondary));
    assert_eq!(next(members, 8), Decision::Settled);
}

#[test]
fn nothing_changes_without_a_healthy_majority() {
    let mut members = healthy(3);
    (members[1].state, members[2].state) = (State::Unwell, State::Unwell);
    for wanted in [1, 2, 3, 5] {
        assert_eq!(next(members.clone(), wanted), Decision::Wait(Hindrance::NoMajority { healthy: 1, voters: 3 }));
    }
}

#[test]
fn members_leave_from_the_highest_ordinal_down_also_dead_ones() {
    let mut members = healthy(5);
    (members[3].state, members[4].state) = (State::Unwell, State::Unwell);
    assert_eq!(next(members.clone(), 3), Decision::Do(Change::Remove("db-4:1".to_owned())));
    members.pop();
    assert_eq!(next(members, 3), Decision::Do(Change::Remove("db-3:1".to_owned())));
}

#[test]
fn a_primary_that_has_to_leave_steps_down_first_if_somebody_can_follow() {
    let mut members = healthy(3);
    (members[0].state, members[2].state) = (State::Secondary, State::Primary);
    assert_eq!(next(members.clone(), 2), Decision::Do(Change::StepDown));
    for other in &mut members[..2] {
        other.priority = 0.0;
    }
    assert_eq!(next(members, 2), Decision::Wait(Hindrance::Needed("db-2:1".to_owned())));
}

#[test]
fn the_last_healthy_ones_stay() {
    let mut members = healthy(3);
    members[1].state = State::Unwell;
    assert_eq!(next(members, 2), Decision::Wait(Hindrance::Needed("db-2:1".to_owned())));
}

#[test]
fn a_host_that_may_not_join_holds_up_no_removal() {
    let mut members = healthy(4);
    members.remove(1);
    assert_eq!(
        decide(&set(members), &hosts(), 3, &["db-1:1".to_owned()]),
        Decision::Do(Change::Remove("db-3:1".to_owned()))
    );
}

#[test]
fn only_the_fresh_and_former_members_of_this_very_set_join() {
    let of = |id: &str| Standing::Initiated { replica_set_id: id.to_owned() };
    assert!(may_join("h", &Standing::Fresh, "id").is_ok());
    assert!(may_join("h", &of("id"), "id").is_ok());
    for standing in [of("other"), Standing::HoldsData(String::new()), Standing::Unknown(String::new())] {
        assert!(may_join("h", &standing, "id").is_err(), "{standing:?}");
    }
}

fn any_member() -> impl Strategy<Value = Configured> {
    let state = prop_oneof![Just(State::Secondary), Just(State::Secondary), Just(State::Unwell), Just(State::Arbiter)];
    let host = prop_oneof![(0_u32..7).prop_map(|ordinal| format!("db-{ordinal}:1")), Just("other:1".to_owned())];
    (host, state, 0_i64..2, any::<bool>(), proptest::option::of(0_u32..30)).prop_map(
        |(host, state, votes, joining, lag_seconds)| Configured {
            votes,
            priority: 1.0,
            joining,
            lag_seconds,
            ..member(&host, state)
        },
    )
}

fn any_set() -> impl Strategy<Value = SetView> {
    (proptest::collection::vec(any_member(), 1..7), any::<prop::sample::Index>()).prop_map(|(mut members, primary)| {
        members.sort_by(|a, b| a.host.cmp(&b.host));
        members.dedup_by(|a, b| a.host == b.host);
        let primary = primary.index(members.len());
        let chosen = &mut members[primary];
        (chosen.state, chosen.votes, chosen.lag_seconds) = (State::Primary, 1, Some(0));
        set(members)
    })
}

fn majority(set: &SetView) -> bool {
    let voters = set.members.iter().filter(|member| member.votes > 0).count();
    let healthy = set.members.iter().filter(|member| member.votes > 0 && member.state != State::Unwell).count();
    healthy * 2 > voters
}

/// What the server makes of a change; who joins comes up in the end.
fn carry_out(set: &mut SetView, change: Change) {
    match change {
        Change::Add(host) => set.members.push(joining(&host, State::Secondary)),
        Change::Promote(host) => {
            let member = set.members.iter_mut().find(|member| member.host == host).unwrap();
            (member.votes, member.priority, member.joining) = (1, 1.0, false);
        }
        Change::Remove(host) => set.members.retain(|member| member.host != host),
        Change::StepDown => {
            let old = set.members.iter().position(|member| member.state == State::Primary).unwrap();
            let follows = |member: &&mut Configured| member.state == State::Secondary && member.votes > 0;
            set.members.iter_mut().find(follows).unwrap().state = State::Primary;
            set.members[old].state = State::Secondary;
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_decided_keeps_a_majority_and_the_members_of_others_and_comes_to_rest(
        start in any_set(), wanted in 1_u32..7,
    ) {
        let mut now = start.clone();
        for step in 0.. {
            prop_assert!(step < 60, "never comes to rest: {now:?}");
            let Decision::Do(change) = decide(&now, &hosts(), wanted, &[]) else { break };
            prop_assert!(majority(&now), "{change:?} without a majority");
            let is_primary = |host: &str| now.members.iter().any(|m| m.host == host && m.state == State::Primary);
            if let Change::Remove(host) = &change {
                prop_assert!(!is_primary(host));
                prop_assert!(hosts().ordinal_of(host).is_some_and(|ordinal| ordinal >= wanted), "{host} removed");
            }
            let voters = |set: &SetView| set.members.iter().filter(|member| member.votes > 0).count();
            let before = voters(&now);
            carry_out(&mut now, change);
            prop_assert!(before.abs_diff(voters(&now)) <= 1, "one vote at a time");
            prop_assert!(majority(&now), "no majority is left");
        }
        prop_assert_eq!(foreign(&start, &hosts()), foreign(&now, &hosts()));
    }
}
