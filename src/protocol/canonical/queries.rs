//! A query that is written by several rules: what they have in common is done once.

use super::parameters::{
    BLANK, EMPTY, FAULTY, HIGH, Marks, NAMELESS, PLUS, Part, Parts, REPEATED, WIDE, is_utf8,
    replace_malformed,
};
use super::percent::is_unreserved;
use super::rules::{Blank, Collation, Cut, Encoding, Order, Plus, QueryRules, Repeated, Utf8};
use super::sink::Sink;
use crate::protocol::scheme::ambiguity::Ambiguities;

/// A query, and what was made of it so far.
pub(crate) struct Queries<'q> {
    query: &'q [u8],
    readings: Vec<Reading>,
}

/// The parts of a query as they are cut and decoded in one way.
struct Reading {
    /// The only rules that matter here are how it is cut, what a plus sign is, and what becomes
    /// of what is not UTF-8.
    rules: QueryRules,
    text: Vec<u8>,
    parts: Vec<Part>,
    found: Ambiguities,
    seen: Marks,
    is_utf8: bool,
    /// Whether there are names that encoding would change.
    has_odd_names: bool,
    arranged: Vec<Arranged>,
}

/// Parts in one order.
#[derive(Clone)]
struct Arranged {
    rules: QueryRules,
    parts: Vec<Part>,
    seen: Marks,
}

/// What rules come to for one query: where they differ in nothing that it has, they are the same.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    reading: usize,
    arranged: usize,
    rules: QueryRules,
}

impl<'q> Queries<'q> {
    pub(crate) fn new(query: &'q [u8]) -> Self {
        Self { query, readings: Vec::new() }
    }

    /// What rules come to.
    pub(crate) fn plan(&mut self, rules: &QueryRules) -> Plan {
        let mut rules = *rules;
        let plainest =
            QueryRules { cut: Cut::Ampersand, plus: Plus::Space, utf8: Utf8::Keep, ..rules };
        let first = self.reading(&plainest);
        let first = &self.readings[first];
        let is_cut = match rules.cut {
            Cut::Ampersand => false,
            Cut::AmpersandOrSemicolon => first.found.contains(Ambiguities::SEMICOLON),
            Cut::AfterDecoding => {
                first.found.intersects(Ambiguities::KEY_AMPERSAND | Ambiguities::VALUE_AMPERSAND)
            }
        };
        if !is_cut {
            rules.cut = plainest.cut;
        }
        if first.seen & PLUS == 0 {
            rules.plus = plainest.plus;
        }
        if first.is_utf8 {
            rules.utf8 = plainest.utf8;
        }
        let reading = self.reading(&rules);
        let Reading { seen, has_odd_names, .. } = self.readings[reading];
        rules.drop_faulty &= seen & FAULTY != 0;
        rules.drop_empty |= seen & EMPTY == 0;
        rules.drop_nameless &= seen & NAMELESS != 0;
        if seen & (BLANK | EMPTY) == 0 {
            rules.blank = Blank::Equals;
        }
        if seen & HIGH == 0 {
            rules.collation = Collation::Bytes;
        }
        if !has_odd_names {
            rules.key = rules.value;
        }
        let arranged = self.readings[reading].arrange(&rules);
        if rules.repeated != Repeated::All && !self.readings[reading].repeats(arranged) {
            rules.repeated = Repeated::All;
        }
        Plan { reading, arranged, rules }
    }

    /// Writes the parameters by a plan, without the one named `except`, and says what is
    /// ambiguous about them.
    pub(crate) fn write<S: Sink>(
        &self,
        plan: &Plan,
        except: Option<&[u8]>,
        sink: &mut S,
    ) -> Ambiguities {
        let Reading { text, found, arranged, .. } = &self.readings[plan.reading];
        let Arranged { parts, seen, .. } = &arranged[plan.arranged];
        *found | plan.rules.put(self.query, text, parts, *seen, except, sink)
    }

    /// The parts as they are cut and decoded by these rules.
    fn reading(&mut self, rules: &QueryRules) -> usize {
        let is_same = |reading: &Reading| {
            let of = |rules: &QueryRules| (rules.cut, rules.plus, rules.utf8);
            of(&reading.rules) == of(rules)
        };
        if let Some(at) = self.readings.iter().position(is_same) {
            return at;
        }
        let reading = match rules.utf8 {
            Utf8::Keep => Reading::of(self.query, rules),
            Utf8::Replace => {
                let kept = self.reading(&QueryRules { utf8: Utf8::Keep, ..*rules });
                self.readings[kept].replaced(rules)
            }
        };
        self.readings.push(reading);
        self.readings.len() - 1
    }
}

impl Reading {
    fn of(query: &[u8], rules: &QueryRules) -> Self {
        let (mut text, mut parts) = (vec![0; query.len() + 1], Parts::new());
        let (found, seen) = rules.read(query, &mut text, &mut parts);
        Self::new(rules, text, parts.into_vec(), found, seen)
    }

    /// The same with U+FFFD in place of what is not UTF-8.
    fn replaced(&self, rules: &QueryRules) -> Self {
        let (mut text, mut parts) = (self.text.clone(), self.parts.clone());
        let found = self.found | replace_malformed(&mut text, &mut parts);
        Self::new(rules, text, parts, found, self.seen | HIGH)
    }

    fn new(
        rules: &QueryRules,
        text: Vec<u8>,
        parts: Vec<Part>,
        found: Ambiguities,
        seen: Marks,
    ) -> Self {
        let is_odd = |part: &Part| {
            !part.is_plain() && !part.key(&text).iter().all(|byte| is_unreserved(*byte))
        };
        Self {
            rules: *rules,
            is_utf8: rules.utf8 == Utf8::Replace || seen & WIDE == 0 || is_utf8(&text, &parts),
            has_odd_names: rules.value == Encoding::Rfc3986 && parts.iter().any(is_odd),
            text,
            parts,
            found,
            seen,
            arranged: Vec::new(),
        }
    }

    /// The parts in the order of these rules.
    fn arrange(&mut self, rules: &QueryRules) -> usize {
        let is_same = |arranged: &Arranged| {
            let of = |rules: &QueryRules| {
                let is_left_out = rules.blank == Blank::LeftOut;
                let blank = if is_left_out { Blank::Equals } else { rules.blank };
                (rules.order, rules.collation, blank, rules.drop_empty)
            };
            of(&arranged.rules) == of(rules)
        };
        if let Some(at) = self.arranged.iter().position(is_same) {
            return at;
        }
        let (mut parts, mut seen);
        if rules.order == Order::Key && rules.blank == Blank::Bare {
            // Which makes no difference to that order.
            let whole = self.arrange(&QueryRules { blank: Blank::Equals, ..*rules });
            Arranged { parts, seen, .. } = self.arranged[whole].clone();
            rules.shorten(self.seen, &mut parts);
        } else if rules.collation == Collation::Utf16 {
            // In it, only those differ from others that are beyond U+DFFF, and only from each
            // other.
            let by_bytes = self.arrange(&QueryRules { collation: Collation::Bytes, ..*rules });
            Arranged { parts, seen, .. } = self.arranged[by_bytes].clone();
            let is_high = |part: &Part| part.marks() & HIGH != 0;
            let mut high: Vec<Part> = parts.iter().copied().filter(is_high).collect();
            rules.sort(&self.text, &mut high);
            let places = parts.iter_mut().filter(|part| is_high(part));
            places.zip(high).for_each(|(place, part)| *place = part);
            parts.iter_mut().for_each(|part| part.mark(0));
            seen |= rules.mark(&self.text, &mut parts);
        } else {
            (parts, seen) = (self.parts.clone(), self.seen);
            if rules.drop_empty && seen & EMPTY != 0 {
                parts.retain(|part| part.marks() & EMPTY == 0);
            }
            seen |= rules.arrange(&self.text, seen, &mut parts);
        }
        self.arranged.push(Arranged { rules: *rules, parts, seen });
        self.arranged.len() - 1
    }

    /// Whether a name is there more than once, in an order by names.
    fn repeats(&self, arranged: usize) -> bool {
        let Arranged { rules, seen, .. } = &self.arranged[arranged];
        rules.order != Order::Key || seen & REPEATED != 0
    }
}
