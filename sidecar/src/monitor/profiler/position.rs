//! How far the profile of a database was read, by the numbers of its entries.
//!
//! The server numbers the documents of a capped collection one after the other, from 1 when the collection is made. So
//! what was overwritten unread can be counted, and an entry is never counted twice.

/// The last entry that was counted, or would have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub number: i64,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// So many of the entries, from the newest on, were not counted yet.
    pub new: usize,
    /// Overwritten before they were read.
    pub lost: u64,
    /// The profile was dropped and made anew since.
    pub is_made_anew: bool,
    pub position: Position,
}

/// Whether entries were written since, given the newest.
pub fn has_moved(position: Option<Position>, newest: Option<Position>) -> bool {
    position != newest && !(newest.is_none() && position.is_some_and(|position| position.number == 0))
}

/// How many of the newest entries to ask for; a few more than it takes to reach the position, for what comes meanwhile.
pub fn enough(position: Option<Position>, newest: Option<Position>, most: u32) -> u32 {
    const MORE: i64 = 32;
    match (position, newest) {
        (Some(position), Some(newest)) if newest.number > position.number => {
            let wanted = newest.number.saturating_sub(position.number).saturating_add(MORE);
            u32::try_from(wanted).unwrap_or(most).min(most)
        }
        _ => most,
    }
}

/// `entries`: newest first. At the first look entries from `since` on count; what was there before is history.
pub fn advance(position: Option<Position>, since: i64, entries: &[Position]) -> Step {
    let Some(newest) = entries.first().copied() else {
        let is_made_anew = position.is_some_and(|position| position.number > 0);
        return Step { new: 0, lost: 0, is_made_anew, position: Position { number: 0, at: since } };
    };
    let Some(known) = position else {
        let new = entries.iter().take_while(|entry| entry.at >= since).count();
        return Step { new, lost: 0, is_made_anew: false, position: newest };
    };
    let is_another = |entry: &Position| entry.number == known.number && entry.at != known.at;
    let is_made_anew = known.number > 0 && (newest.number < known.number || entries.iter().any(is_another));
    let after = if is_made_anew { 0 } else { known.number };
    let new = entries.iter().take_while(|entry| entry.number > after).count();
    let oldest = new.checked_sub(1).and_then(|last| entries.get(last));
    let lost = oldest.map_or(0, |oldest| oldest.number.saturating_sub(after).saturating_sub(1));
    Step { new, lost: u64::try_from(lost).unwrap_or(0), is_made_anew, position: newest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: i64) -> Position {
        Position { number, at: number * 10 }
    }

    fn newest_first(numbers: std::ops::RangeInclusive<i64>) -> Vec<Position> {
        numbers.rev().map(at).collect()
    }

    #[test]
    fn what_was_there_before_the_start_is_not_counted() {
        let step = advance(None, 45, &newest_first(1..=6));
        assert_eq!((step.new, step.lost, step.position), (2, 0, at(6)));
        let step = advance(None, 100, &newest_first(1..=6));
        assert_eq!((step.new, step.position), (0, at(6)));
    }

    #[test]
    fn every_entry_is_counted_once() {
        let step = advance(Some(at(6)), 0, &newest_first(4..=9));
        assert_eq!((step.new, step.lost, step.position), (3, 0, at(9)));
        assert_eq!(advance(Some(at(9)), 0, &newest_first(4..=9)).new, 0);
        assert!(!has_moved(Some(at(9)), Some(at(9))) && has_moved(Some(at(9)), Some(at(10))));
    }

    #[test]
    fn overwritten_entries_are_counted_as_lost() {
        let step = advance(Some(at(6)), 0, &newest_first(10..=12));
        assert_eq!((step.new, step.lost), (3, 3));
        let step = advance(Some(at(9)), 0, &newest_first(10..=12));
        assert_eq!((step.new, step.lost), (3, 0), "the last one that was counted may go");
    }

    #[test]
    fn an_empty_profile_that_fills_loses_nothing_unseen() {
        let empty = advance(None, 0, &[]);
        assert_eq!((empty.new, empty.is_made_anew, empty.position.number), (0, false, 0));
        assert!(!has_moved(Some(empty.position), None));
        let step = advance(Some(empty.position), 0, &newest_first(3..=5));
        assert_eq!((step.new, step.lost), (3, 2));
    }

    #[test]
    fn a_profile_that_was_made_anew_is_read_from_its_beginning() {
        let step = advance(Some(at(50)), 0, &newest_first(1..=3));
        assert_eq!((step.new, step.lost, step.is_made_anew), (3, 0, true));
        let other = [Position { number: 5, at: 999 }, Position { number: 4, at: 998 }];
        let step = advance(Some(at(5)), 0, &other);
        assert_eq!((step.new, step.lost, step.is_made_anew), (2, 3, true));
        assert!(advance(Some(at(5)), 0, &[]).is_made_anew);
    }

    #[test]
    fn no_more_is_asked_for_than_is_needed() {
        assert_eq!(enough(Some(at(6)), Some(at(9)), 4000), 35);
        assert_eq!(enough(Some(at(6)), Some(at(90_000)), 4000), 4000);
        assert_eq!(enough(Some(at(60)), Some(at(9)), 4000), 4000);
        assert_eq!(enough(None, Some(at(9)), 4000), 4000);
    }
}
