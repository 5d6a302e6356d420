//! Which requests have one text to sign. All are signed in every way, and equal texts make the
//! pairs.

use super::meaning::Meaning;
use super::requests::{Request, at_random, with_headers, with_hosts, with_targets};
use super::rule::{Broken, Rules};
use crate::protocol::canonical::rules::Form;
use crate::protocol::dialect::{Dialect, Dialects};
use crate::protocol::request::{Head, ProtocolHeaders, RequestRef};
use crate::protocol::scheme::ambiguity::Ambiguities;
use crate::protocol::scheme::coverage::{self, List, Listed, Values};
use crate::protocol::scheme::presigned::Presigned;
use crate::protocol::scheme::terms::Terms;
use crate::protocol::scheme::{Family, Scheme};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One way of signing, and of accepting.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) scheme: Scheme,
    pub(super) dialect: Dialect,
    pub(super) form: &'static Form,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            Dialect::Standard => self.scheme.fmt(f),
            dialect => dialect.fmt(f),
        }
    }
}

/// All ways in which a signature of a family may be meant. Those of SM3 are those of
/// `ACS3-HMAC-SHA256`: the same text, and other hashes.
pub(super) fn ways(family: Family) -> Vec<Way> {
    let scheme = match family {
        Family::Fc => Scheme::Fc,
        Family::Acs3 => Scheme::Acs3HmacSha256,
        Family::Acs => Scheme::Acs,
    };
    let forms = Dialects::all().forms(family);
    let mut ways: Vec<_> = forms.map(|(dialect, form)| Way { scheme, dialect, form }).collect();
    if family == Family::Fc {
        ways.push(Way { scheme: Scheme::FcPresigned, ..ways[0] });
    }
    ways
}

/// A request as it is signed in one way.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// Which request it is.
    pub(super) request: usize,
    pub(super) way: usize,
    /// The signed headers, under a scheme that lists them.
    pub(super) listed: Arc<[String]>,
    pub(super) meaning: usize,
    /// The rules that keep a verifier from accepting it.
    pub(super) refused: Rules,
    /// The rules that keep this crate from signing it, `None` in a way in which it never does.
    pub(super) unsigned: Option<Rules>,
}

/// A request that was signed, and another one of other meaning with the same text.
#[derive(Clone, Copy)]
pub(super) struct Twins<'s> {
    pub(super) signed: &'s Signed,
    pub(super) accepted: &'s Signed,
    /// Whether this crate is asked to sign; or else it is somebody who signs whatever a
    /// verifier accepts.
    pub(super) is_ours: bool,
}

impl Twins<'_> {
    /// The rules that keep the first from being signed, and the second from being accepted.
    pub(super) fn rules(&self) -> [Rules; 2] {
        let by = self.signed.unsigned.filter(|_| self.is_ours);
        [by.unwrap_or(self.signed.refused), self.accepted.refused]
    }
}

/// All requests in all ways of a family.
pub(super) struct Search {
    pub(super) ways: Vec<Way>,
    pub(super) requests: Vec<Request>,
    /// How many of them are made of targets, or at random.
    targets: usize,
    meanings: HashMap<Meaning, usize>,
    texts: HashMap<Vec<u8>, Vec<Signed>>,
    /// How many are accepted in each way, and what is refused of some.
    pub(super) accepted: Vec<usize>,
    pub(super) seen: Vec<Rules>,
}

impl Search {
    pub(super) fn of(family: Family) -> Self {
        let ways = ways(family);
        let mut search = Self {
            requests: Vec::new(),
            targets: 0,
            meanings: HashMap::new(),
            texts: HashMap::new(),
            accepted: vec![0; ways.len()],
            seen: vec![Rules::default(); ways.len()],
            ways,
        };
        for request in [with_targets(family), at_random(family)].into_iter().flatten() {
            search.add(family, request, false);
        }
        search.targets = search.requests.len();
        for request in with_hosts(family) {
            search.add(family, request, false);
        }
        for request in with_headers(family) {
            search.add(family, request, true);
        }
        search
    }

    /// Signs a request in every way; if its headers are to be listed, in every list that is
    /// tried.
    fn add(&mut self, family: Family, request: Request, is_listed_otherwise: bool) {
        self.sign(family, &request, is_listed_otherwise);
        self.requests.push(request);
    }

    fn sign(&mut self, family: Family, request: &Request, is_listed_otherwise: bool) {
        let mut protocols = ProtocolHeaders::new();
        let head = head_of(request, &mut protocols);
        let query = Presigned::read(head.query());
        let mut lists = vec![Arc::from([])];
        if family == Family::Acs3 {
            lists = self::lists(&head);
            lists.truncate(if is_listed_otherwise { lists.len() } else { 1 });
        }
        for (number, listed) in lists.iter().enumerate() {
            let list = list_of(&head, listed);
            let mut of_scheme: Option<(Scheme, Broken, usize)> = None;
            for way in 0..self.ways.len() {
                let Way { scheme, dialect, form } = self.ways[way];
                if scheme == Scheme::FcPresigned && !is_presigned(&head, &query) {
                    continue;
                }
                let terms = Terms::of(scheme, &list, query.expires.as_deref());
                let (_, broken, meaning) = match &mut of_scheme {
                    Some(known) if known.0 == scheme => known,
                    other => {
                        let meaning = self.meaning(request, scheme, listed);
                        other.insert((scheme, Broken::of(&head, &terms, &query), meaning))
                    }
                };
                let mut text = Vec::with_capacity(160);
                let found = terms.write_text(&head, form, &mut text);
                let found = Rules::from(found & (form.refuses | Ambiguities::VALUE_ORDER));
                let is_ours = dialect == Dialect::Standard && number == 0;
                let unsigned = broken.unsigned.filter(|_| is_ours).map(|rules| rules.with(found));
                let refused = broken.refused.with(found);
                self.accepted[way] += usize::from(refused.is_empty());
                self.seen[way] = self.seen[way].with(refused).with(unsigned.unwrap_or_default());
                // More than two rules at once are not taken out.
                if refused.len() <= 2 || unsigned.is_some_and(|rules| rules.len() <= 2) {
                    let (request, listed) = (self.requests.len(), Arc::clone(listed));
                    let meaning = *meaning;
                    let signed = Signed { request, way, listed, meaning, refused, unsigned };
                    self.texts.entry(text).or_default().push(signed);
                }
            }
        }
    }

    /// The number of what a request means.
    fn meaning(&mut self, request: &Request, scheme: Scheme, listed: &[String]) -> usize {
        let count = self.meanings.len();
        *self.meanings.entry(Meaning::of(request, scheme, listed)).or_insert(count)
    }

    pub(super) fn request(&self, signed: &Signed) -> &Request {
        &self.requests[signed.request]
    }

    /// Some of all that are signed: those that differ in their headers, and few of the others.
    pub(super) fn sample(&self) -> impl Iterator<Item = &Signed> {
        let all = self.texts.values().flatten();
        all.filter(|signed| signed.request >= self.targets || signed.request % 100 == 0)
    }

    /// Lends twins to `look`. Of all that are signed in one way and kept apart by the same
    /// rules, two of different meaning are enough for each text.
    pub(super) fn each_twins<'s>(&'s self, mut look: impl FnMut(Twins<'s>)) {
        for all in self.texts.values() {
            if all.iter().all(|signed| signed.meaning == all[0].meaning) {
                continue;
            }
            let mut kept: Vec<&Signed> = Vec::new();
            for signed in all {
                let alike = kept.iter().filter(|other| {
                    (other.way, other.refused) == (signed.way, signed.refused)
                        && other.unsigned == signed.unsigned
                });
                let (count, is_known) = alike.fold((0, false), |(count, is_known), other| {
                    (count + 1, is_known || other.meaning == signed.meaning)
                });
                if count < 2 && !is_known {
                    kept.push(signed);
                }
            }
            for signed in &kept {
                for accepted in kept.iter().filter(|other| other.meaning != signed.meaning) {
                    if signed.unsigned.is_some() {
                        look(Twins { signed, accepted, is_ours: true });
                    }
                    look(Twins { signed, accepted, is_ours: false });
                }
            }
        }
    }

    /// Two that are signed or accepted but for these rules, and that have one text and, by
    /// `meaning`, not one meaning.
    pub(super) fn broken_promise<M: PartialEq>(
        &self,
        but_for: Rules,
        meaning: impl Fn(Meaning) -> M,
    ) -> Option<String> {
        self.texts.values().find_map(|all| {
            let is_fine = |rules: Rules| rules.without(but_for).is_empty();
            let fine =
                |signed: &&Signed| is_fine(signed.refused) || signed.unsigned.is_some_and(is_fine);
            let mut all = all.iter().filter(fine);
            let first = all.next()?;
            let mut of_first = None;
            let other = all.find(|other| {
                other.meaning != first.meaning && {
                    let of = |signed: &Signed| {
                        let scheme = self.ways[signed.way].scheme;
                        let request = self.request(signed);
                        meaning(Meaning::of(request, scheme, &signed.listed))
                    };
                    of(other) != *of_first.get_or_insert_with(|| of(first))
                }
            })?;
            Some(self.shown(Twins { signed: first, accepted: other, is_ours: false }))
        })
    }

    /// Twins in words.
    pub(super) fn shown(&self, Twins { signed, accepted, is_ours }: Twins<'_>) -> String {
        let shown = |signed: &Signed| {
            let Request { method, uri, headers } = self.request(signed);
            let mut text = format!("{method} {uri}");
            for (name, value) in headers {
                text += &format!(" {name}: {value:?}");
            }
            format!("{text} as {}", self.ways[signed.way])
        };
        let by = if is_ours { "here" } else { "elsewhere" };
        format!("signed {by}: {}\n accepted: {}", shown(signed), shown(accepted))
    }
}

pub(super) fn head_of<'a, 'h: 'a>(
    request: &'h Request,
    protocols: &'a mut ProtocolHeaders<'h>,
) -> Head<'a> {
    let Request { method, uri, headers } = request;
    Head::of(RequestRef { method, uri, headers }, protocols)
}

/// The values of listed headers.
pub(super) fn list_of<'a>(head: &Head<'a>, names: &'a [String]) -> List<'a> {
    let mut list: List<'a> =
        names.iter().map(|name| Listed { name, values: Values::Absent }).collect();
    coverage::find(head, &mut list);
    list
}

/// Whether a request is read as presigned, once it has a signature.
fn is_presigned(head: &Head<'_>, query: &Presigned<'_>) -> bool {
    let ends = query.expires.as_ref().is_some_and(|end| end.iter().all(u8::is_ascii_digit));
    ends && query.access_key_id.is_some() && head.authorization.value.is_none()
}

/// What a request may say to have signed: the documented list, that without one of its names,
/// and with one that the request has no header of.
fn lists(head: &Head<'_>) -> Vec<Arc<[String]>> {
    let mut documented = List::new();
    coverage::list_documented(head, &mut documented);
    let documented: Vec<_> = documented.iter().map(|each| each.name.to_owned()).collect();
    let mut all = vec![documented.clone()];
    for at in 0..documented.len() {
        let mut fewer = documented.clone();
        fewer.remove(at);
        all.push(fewer);
    }
    for name in ["content-type", "x-acs-a", "x-fc-a"] {
        if !head.headers.contains_key(name) {
            let mut more = documented.clone();
            more.push(name.to_owned());
            more.sort();
            all.push(more);
        }
    }
    all.into_iter().map(Arc::from).collect()
}
