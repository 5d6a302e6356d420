//! What is signed of a request under several forms and several secrets: what they have in
//! common is written and hashed once.

use super::Family;
use super::ambiguity::Ambiguities;
use super::terms::Terms;
use crate::protocol::canonical::queries::{Plan, Queries};
use crate::protocol::canonical::rules::{Form, PathForm, PathRules, RepeatedHeader};
use crate::protocol::canonical::sink::Sink;
#[cfg(feature = "sm3")]
use crate::protocol::crypto::hmac::Mac;
use crate::protocol::crypto::hmac::{Blocks, Hasher, Keyed, Macs};
use crate::protocol::crypto::tag::Tag;
use crate::protocol::dialect::Dialect;
use crate::protocol::request::Head;
use smallvec::SmallVec;
use std::ops::Range;

/// The texts of a request under the forms that were tried.
pub(crate) struct Texts<'t> {
    terms: Terms<'t>,
    head: &'t Head<'t>,
    written: Written,
    queries: Queries<'t>,
    lines: Pieces<(bool, &'static str)>,
    headers: Pieces<RepeatedHeader>,
    read_paths: Pieces<PathForm>,
    paths: Pieces<PathRules>,
    parameters: Pieces<Option<Plan>>,
    tails: Pieces<RepeatedHeader>,
    texts: SmallVec<[[Piece; 5]; 9]>,
    /// What was written of the next form.
    ahead: Option<(Ambiguities, Option<Text>)>,
    /// HMACs under all secrets, after the first pieces of a text.
    begun: Vec<([Piece; 2], Macs)>,
}

/// Where a piece of a text is among what was written.
type Piece = Range<usize>;

/// One text: its lines, its headers, its path, its query, and what follows them.
pub(crate) struct Text {
    pieces: [Piece; 5],
    /// Its hash, where that is what is signed.
    hash: Option<Tag>,
}

/// All that was written, each piece once.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    pieces: SmallVec<[Piece; 16]>,
}

impl Written {
    fn get(&self, piece: &Piece) -> &[u8] {
        &self.bytes[piece.clone()]
    }

    /// Writes a piece, and says what is ambiguous about it.
    fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Ambiguities) -> (Ambiguities, Piece) {
        let start = self.bytes.len();
        let found = write(&mut self.bytes);
        let piece = start..self.bytes.len();
        match self.pieces.iter().find(|known| self.get(known) == self.get(&piece)) {
            Some(known) => {
                self.bytes.truncate(start);
                (found, known.clone())
            }
            None => {
                self.pieces.push(piece.clone());
                (found, piece)
            }
        }
    }
}

/// Pieces of one kind, by the rules they were written by.
struct Pieces<R>(SmallVec<[(R, (Ambiguities, Piece)); 4]>);

impl<R> Default for Pieces<R> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<R: PartialEq> Pieces<R> {
    /// What is ambiguous about the first one.
    fn found(&self) -> Option<Ambiguities> {
        self.0.first().map(|(_, (found, _))| *found)
    }

    /// What was written by these rules, or is now.
    fn get(
        &mut self,
        rules: R,
        write: impl FnOnce() -> (Ambiguities, Piece),
    ) -> (Ambiguities, Piece) {
        if let Some((_, piece)) = self.0.iter().find(|(known, _)| *known == rules) {
            return piece.clone();
        }
        let piece = write();
        self.0.push((rules, piece.clone()));
        piece
    }
}

impl<'t> Texts<'t> {
    pub(crate) fn of(terms: Terms<'t>, head: &'t Head<'t>) -> Self {
        Self {
            terms,
            head,
            written: Written::default(),
            queries: Queries::new(head.query()),
            lines: Pieces::default(),
            headers: Pieces::default(),
            read_paths: Pieces::default(),
            paths: Pieces::default(),
            parameters: Pieces::default(),
            tails: Pieces::default(),
            texts: SmallVec::new(),
            ahead: None,
            begun: Vec::new(),
        }
    }

    /// Whether none was written yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Writes what is signed under the first of these forms, which are all that are left. Says
    /// what is ambiguous, and gives the text if none of those before is the same.
    ///
    /// Where texts are hashed two of them take turns, as [`Macs`] do; but the one that comes
    /// first of all is likely to be the last one too.
    pub(crate) fn next(&mut self, forms: &[(Dialect, &Form)]) -> (Ambiguities, Option<Text>) {
        if let Some(ahead) = self.ahead.take() {
            return ahead;
        }
        let is_first = self.is_empty();
        let [(_, form), rest @ ..] = forms else { return (Ambiguities::empty(), None) };
        let mut now = self.add(form);
        if self.terms.scheme().facts().family == Family::Acs3 {
            let next = rest.first().filter(|_| !is_first);
            let mut next = next.map(|(_, form)| self.add(form));
            let texts = [Some(&mut now), next.as_mut()].into_iter().flatten();
            self.hash(texts.filter_map(|(_, text)| text.as_mut()).collect());
            self.ahead = next;
        }
        now
    }

    /// Writes what is signed under a form.
    pub(crate) fn add(&mut self, form: &Form) -> (Ambiguities, Option<Text>) {
        let Self { terms, head, written, queries, .. } = self;
        let (of_lines, lines) = self.lines.get((form.expires_as_date, form.absent_accept), || {
            written.add(|sink| terms.write_lines(head, form, sink))
        });
        let (of_headers, headers) = self.headers.get(form.repeated_header, || {
            written.add(|sink| terms.write_headers(head, form, sink))
        });
        let (of_path, mut path) = self
            .read_paths
            .get(form.path.form, || written.add(|sink| form.path.form.write(head.path(), sink)));
        let mut of_replacing = Ambiguities::empty();
        if form.path.replaces() {
            (of_replacing, path) = self.paths.get(form.path, || {
                let read = written.get(&path).to_vec();
                written.add(|sink| form.path.replace(&read, sink))
            });
        }
        let plan = form.query.as_ref().map(|rules| queries.plan(rules));
        let (of_query, query) = self.parameters.get(plan, || {
            let write = |except: Option<&[u8]>, sink: &mut Vec<u8>| {
                plan.map_or(Ambiguities::empty(), |plan| queries.write(&plan, except, sink))
            };
            written.add(|sink| {
                terms.write_query(head, form, sink, |_, except, sink| write(except, sink))
            })
        });
        let known = self.tails.found();
        let (of_tail, tail) = self.tails.get(form.repeated_header, || {
            let are_new = known.is_none();
            written
                .add(|sink| terms.write_tail(head, form, are_new, sink) | known.unwrap_or_default())
        });
        let found = of_lines | of_headers | of_path | of_replacing | of_query | of_tail;
        let pieces = [lines, headers, path, query, tail];
        if self.texts.contains(&pieces) {
            return (found, None);
        }
        self.texts.push(pieces.clone());
        (found, Some(Text { pieces, hash: None }))
    }

    /// The position of the first of these secrets whose signature over a text is the one that
    /// is looked for. They are the same for every text.
    ///
    /// The first one is tried alone where that is likely to do, the others together.
    pub(crate) fn find(
        &mut self,
        text: &Text,
        secrets: &[&Keyed],
        is_likely: bool,
        mut is_it: impl FnMut(usize, &Tag) -> bool,
    ) -> Option<usize> {
        let (first, rest) = text.pieces.split_at(2);
        let first = match (first, text.hash) {
            ([lines, headers], None) => [lines.clone(), headers.clone()],
            _ => [0..0, 0..0],
        };
        let begun = self.begun.iter().position(|(known, _)| *known == first);
        let begun = begun.unwrap_or_else(|| {
            let mut macs = Macs::new(self.terms.scheme().facts().mac, secrets);
            first.iter().for_each(|piece| macs.put(self.written.get(piece)));
            self.begun.push((first, macs));
            self.begun.len() - 1
        });
        let alone = usize::from(is_likely);
        let groups = [0..alone, alone..secrets.len()].into_iter();
        groups.filter(|group| !group.is_empty()).find_map(|group| {
            let mut macs = self.begun[begun].1.copied(group.clone());
            match &text.hash {
                Some(hash) => self.terms.write_over(hash, &mut macs),
                None => rest.iter().for_each(|piece| macs.put(self.written.get(piece))),
            }
            group.zip(macs.finish()).find(|(at, tag)| is_it(*at, tag)).map(|(at, _)| at)
        })
    }

    /// Hashes some canonical requests.
    fn hash(&self, texts: SmallVec<[&mut Text; 2]>) {
        match self.terms.scheme().facts().mac {
            #[cfg(feature = "sm3")]
            Mac::Sm3 => self.hash_by(texts, &Hasher::sm3()),
            _ => self.hash_by(texts, &Hasher::sha256()),
        }
    }

    /// Hashes texts in turns, block by block, so that the processor does some at the same time.
    fn hash_by<H: Blocks + Clone>(&self, mut texts: SmallVec<[&mut Text; 2]>, hasher: &Hasher<H>) {
        let bytes = |text: &Text| {
            let pieces = text.pieces.clone().into_iter();
            pieces.flat_map(|piece| self.written.get(&piece).chunks(64))
        };
        let each = texts.iter().map(|text| (bytes(text), hasher.clone()));
        let mut each: SmallVec<[_; 2]> = each.collect();
        let mut is_more = true;
        while is_more {
            is_more = false;
            for (bytes, hasher) in &mut each {
                if let Some(some) = bytes.next() {
                    hasher.put(some);
                    is_more = true;
                }
            }
        }
        for (text, (_, hasher)) in texts.iter_mut().zip(&mut each) {
            text.hash = Some(hasher.finish());
        }
    }
}
