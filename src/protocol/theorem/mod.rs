//! The theorem: for every request that strict signing signs, its signature verifies on no
//! request of other meaning, under no set of dialects; and no two requests that are accepted
//! have one signature and differ in meaning, whoever signed them.
//!
//! It is tried on all small requests: each is signed in every way, and those with one text make
//! the pairs. What a set of dialects accepts, one or other of them does: as all are tried
//! together, each alone and every set is. No signature of one family is one of another: what
//! `ACS3` signs has one line feed, what `FC` signs has more, and `acs` has a MAC of its own.

mod meaning;
mod replay;
mod requests;
mod rule;
mod rules;
mod search;

use super::scheme::Family;
use super::scheme::ambiguity::Ambiguity;
use rule::{Rule, Rules};
use search::Search;
use std::sync::LazyLock;

const FAMILIES: [Family; 3] = [Family::Fc, Family::Acs3, Family::Acs];

/// The requests of a family in all ways. Presigned URLs are of that of `FC`, whose signatures
/// theirs could be.
fn search(family: Family) -> &'static Search {
    static SEARCHES: [LazyLock<Search>; 3] = [
        LazyLock::new(|| Search::of(Family::Fc)),
        LazyLock::new(|| Search::of(Family::Acs3)),
        LazyLock::new(|| Search::of(Family::Acs)),
    ];
    &SEARCHES[family as usize]
}

const ORDER: Rule = Rule::Ambiguous(Ambiguity::ValueOrder);

#[test]
fn what_is_signed_strictly_or_accepted_has_no_twin_of_other_meaning() {
    for family in FAMILIES {
        let search = search(family);
        assert_eq!(search.broken_promise(Rules::default(), |meaning| meaning), None, "{family:?}");
        // It is not because nothing is accepted.
        assert!(search.requests.len() > 28_000, "{}", search.requests.len());
        for (way, accepted) in search.ways.iter().zip(&search.accepted) {
            println!("{way}: {accepted} of {} accepted", search.requests.len());
            assert!(*accepted > 5_000, "{way}: {accepted}");
        }
    }
}

#[test]
fn but_for_the_order_of_values_unless_that_is_refused_by_name() {
    for family in FAMILIES {
        let search = search(family);
        let default = Rules::from(ORDER);
        assert!(search.broken_promise(default, |meaning| meaning).is_some(), "{family:?}");
        // In nothing else do those differ that no other rule keeps apart.
        let any_order = search.broken_promise(default, meaning::Meaning::in_any_order);
        assert_eq!(any_order, None, "{family:?}");
    }
}
