//! A certificate service, and whoever answers in its place. A certificate is an entry of a list, its DER the place there.

use super::node::Node;
use crate::dice::Dice;
use bytes::Bytes;
use edgehub_core::UnixMillis;
use edgehub_core::identity::{
    Answer, Authority, Certificate, Failure, IdentityInput, JoinToken, Request, Sha256, Trust, Validity,
    WorkNumber,
};
use std::collections::BTreeMap;

/// How long a token is good for, in seconds: as KubeEdge's.
const TOKEN_LIFE: i64 = 24 * 3600;
const YEAR: i64 = 365 * 86_400;

/// A certificate, as the world knows it.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// Who signed it: the place of an authority; itself for an authority.
    pub(super) by: usize,
    /// Its public key.
    pub(super) key: u64,
    /// The node that it names.
    pub(super) node: Option<&'static str>,
    pub(super) validity: Validity,
}

/// A request, which of the services is asked, and who is trusted.
pub(super) struct Asked {
    pub(super) service: usize,
    pub(super) request: Request,
    pub(super) trust: Trust,
}

/// The most certificate services that a cloud has.
const SERVICES: u64 = 3;

/// The name of the node of this world.
pub(super) const NODE: &str = "edge-1";

/// How long a certificate lives, in seconds: an hour, or some days, and now and then a year, which takes longer to play.
fn life(dice: &mut Dice) -> u64 {
    if dice.chance(30) { dice.magnitude(20 * 86_400, 400 * 86_400) } else { dice.magnitude(3600, 5 * 86_400) }
}

pub(super) struct Cloud {
    pub(super) certificates: Vec<Signed>,
    /// Authorities that are really the cloud's, the newest last.
    pub(super) authorities: Vec<usize>,
    /// An authority of somebody else.
    stranger: usize,
    /// When the present authority took over.
    took_over: i64,
    /// Whether the one before vouches for the present one.
    is_vouched_for: bool,
    /// Which authority signed the server's certificate.
    server_by: usize,
    /// Who signs the servers' certificates, if that is another one: it never changes.
    pub(super) servers: Option<usize>,
    /// Which of its certificate services answer.
    pub(super) alive: Vec<bool>,
    pub(super) life_seconds: u64,
    /// When each token that was ever given ends.
    tokens: BTreeMap<String, (i64, usize)>,
    /// How many of a thousand requests go wrong.
    pub(super) trouble: u64,
    /// Requests that went wrong.
    pub(super) faults: usize,
}

impl Cloud {
    pub(super) fn new(dice: &mut Dice) -> Cloud {
        let mut cloud = Cloud {
            certificates: Vec::new(),
            authorities: Vec::new(),
            stranger: 0,
            took_over: super::START,
            is_vouched_for: false,
            server_by: 0,
            servers: None,
            alive: vec![true; dice.number(1, SERVICES) as usize],
            life_seconds: life(dice),
            tokens: BTreeMap::new(),
            trouble: [0, 100, 500][dice.index(3)],
            faults: 0,
        };
        cloud.stranger = cloud.authority(super::START);
        cloud.rebuild(super::START);
        if dice.chance(200) {
            cloud.servers = Some(cloud.authority(super::START));
        }
        cloud
    }

    fn authority(&mut self, wall: i64) -> usize {
        let place = self.certificates.len();
        let validity = Validity { not_before: wall - YEAR, not_after: wall + 100 * YEAR };
        self.certificates.push(Signed { by: place, key: 1000 + place as u64, node: None, validity });
        place
    }

    /// Begins to sign with another key. What the one before signed is taken further on. For some time the server goes on with
    /// the certificate that it has from the one before, which vouches (cross-signed) for the new one after that, so that who
    /// knows only the old one trusts the server.
    pub(super) fn new_authority(&mut self, wall: i64) {
        let authority = self.authority(wall);
        self.authorities.push(authority);
        (self.took_over, self.is_vouched_for) = (wall, true);
    }

    /// Is built anew: nobody vouches for its authority, and nothing of before counts.
    pub(super) fn rebuild(&mut self, wall: i64) {
        self.new_authority(wall);
        self.is_vouched_for = false;
        self.server_by = self.present();
    }

    /// The server has a certificate of the present authority from now on.
    pub(super) fn renew_server(&mut self) {
        self.server_by = self.present();
    }

    /// Some services end, or come back.
    pub(super) fn shuffle_services(&mut self, dice: &mut Dice) {
        self.alive.iter_mut().for_each(|alive| *alive = dice.chance(600));
    }

    /// All but one of the services are away, for long.
    pub(super) fn leave_one_service(&mut self, dice: &mut Dice) {
        let left = dice.index(self.alive.len());
        self.alive.iter_mut().enumerate().for_each(|(place, alive)| *alive = place == left);
    }

    /// Whether requests are answered as they should be by one of the services.
    pub(super) fn answers(&self) -> bool {
        self.trouble == 0 && self.alive.contains(&true)
    }

    /// Whether every request is answered as it should be, whichever service is asked.
    pub(super) fn is_well(&self) -> bool {
        self.trouble == 0 && self.alive.iter().all(|alive| *alive)
    }

    /// Whether an authority is the cloud's, or that of its servers.
    pub(super) fn is_own(&self, authority: usize) -> bool {
        self.authorities.contains(&authority) || self.servers == Some(authority)
    }

    /// Whether whoever trusts these trusts the server.
    pub(super) fn is_trusted(&self, roots: &[Bytes], wall: i64) -> bool {
        if let Some(servers) = self.servers {
            return roots.contains(&der(servers));
        }
        let server_by = self.server_by(wall);
        let before = self.authorities.iter().rev().nth(1);
        let before = before.filter(|_| !self.is_settled(wall) && server_by == self.present());
        roots.contains(&der(server_by)) || before.is_some_and(|before| roots.contains(&der(*before)))
    }

    /// Which authority the server's certificate is of at a moment: half a life after another took over, of that one.
    fn server_by(&self, wall: i64) -> usize {
        let is_renewed = wall >= self.took_over + self.life_seconds as i64 / 2;
        if is_renewed { self.present() } else { self.server_by }
    }

    /// Whether the present authority is the only one that counts.
    pub(super) fn is_settled(&self, wall: i64) -> bool {
        !self.is_vouched_for || wall >= self.took_over + 2 * self.life_seconds as i64
    }

    pub(super) fn present(&self) -> usize {
        self.authorities.last().copied().unwrap_or(self.stranger)
    }

    /// A new token for the present authority.
    pub(super) fn token(&mut self, wall: i64) -> JoinToken {
        let jwt = format!("h.c{}.s", self.tokens.len());
        let authority = self.present();
        let text = format!("{}.{jwt}", digest(&der(authority)));
        self.tokens.insert(jwt, (wall + TOKEN_LIFE, authority));
        JoinToken::parse(&text).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Whether a token can be used to join.
    pub(super) fn takes(&self, token: &JoinToken, wall: i64) -> bool {
        let known = self.tokens.get(token.jwt());
        known.is_some_and(|(ends, authority)| wall < *ends && *authority == self.present())
    }

    /// A pair of an authority that is somebody else's.
    pub(super) fn strangers_pair(&mut self, key: u64, wall: i64) -> usize {
        self.sign(self.stranger, key, NODE, wall, wall + self.life_seconds as i64)
    }

    pub(super) fn sign(
        &mut self,
        by: usize,
        key: u64,
        node: &'static str,
        not_before: i64,
        not_after: i64,
    ) -> usize {
        let validity = Validity { not_before, not_after };
        self.certificates.push(Signed { by, key, node: Some(node), validity });
        self.certificates.len() - 1
    }

    /// A certificate as the cloud signs it.
    pub(super) fn sign_now(&mut self, key: u64, wall: i64) -> usize {
        self.sign(self.present(), key, NODE, wall, wall + self.life_seconds as i64)
    }

    /// What a certificate is to a node that asks for one with this key, and trusts these.
    pub(super) fn facts(&self, place: usize, key: u64, roots: &[Bytes]) -> Option<Certificate> {
        let signed = self.certificates.get(place)?;
        Some(Certificate {
            digest: digest(&der(place)),
            validity: signed.validity,
            node: signed.node.map(Into::into),
            is_authority: signed.by == place,
            is_of_key: signed.key == key,
            signed_by: roots
                .contains(&der(signed.by))
                .then(|| Authority { digest: digest(&der(signed.by)), der: der(signed.by) }),
        })
    }

    /// What becomes of a request; `None` when nobody ever answers.
    pub(super) fn answer(
        &mut self,
        work: WorkNumber,
        asked: &Asked,
        node: &Node,
        wall: i64,
        dice: &mut Dice,
    ) -> Option<IdentityInput> {
        let Asked { service, request, trust } = asked;
        let unanswered = |failure| Some(IdentityInput::Unanswered { work, failure });
        if *trust != Trust::Anybody {
            self.server_by = self.server_by(wall);
        }
        let is_trusted = match trust {
            Trust::Anybody => true,
            Trust::Roots(roots) => self.is_trusted(roots, wall),
        };
        let is_early = *trust != Trust::Anybody && is_early(node.wall(wall));
        let roots = match trust {
            Trust::Anybody => &[][..],
            Trust::Roots(roots) => roots,
        };
        let key = node.latest_key;
        if !self.alive[*service] {
            return unanswered(Failure::Unreachable("nobody listens".into()));
        }
        if dice.chance(self.trouble) {
            self.faults += 1;
            let what = dice.number(0, 15);
            let anybody = *trust == Trust::Anybody;
            return match what {
                0..2 => unanswered(Failure::Unreachable("no route".into())),
                2..4 => None,
                4 => unanswered(Failure::TooLarge),
                5 => unanswered(Failure::Broken("not HTTP".into())),
                6 => unanswered(Failure::Untrusted("unknown issuer".into())),
                // Everything else is said by a server that is trusted, or not looked at.
                _ if !is_trusted || is_early => unanswered(Failure::Untrusted("unknown issuer".into())),
                7 => self.text(work, 200, "<html>", anybody, wall, dice),
                8 => self.text(work, 302, "", anybody, wall, dice),
                9 => self.text(work, 500, "no", anybody, wall, dice),
                10 if anybody => self.text_of(work, self.stranger, key, roots, Some(wall)),
                11 if anybody => {
                    let date = wall + dice.number(0, 40 * YEAR as u64) as i64 - 20 * YEAR;
                    self.text_of(work, self.present(), key, roots, Some(date))
                }
                10 | 11 => self.text(work, 404, "no", false, wall, dice),
                12 => {
                    let place = self.sign(self.present(), key, "edge-2", wall, wall + YEAR);
                    self.text_of(work, place, key, roots, Some(wall))
                }
                13 => {
                    let place = self.sign(self.present(), key + 1, NODE, wall, wall + YEAR);
                    self.text_of(work, place, key, roots, Some(wall))
                }
                14 => {
                    let place = self.sign(self.stranger, key, NODE, wall, wall + YEAR);
                    self.text_of(work, place, key, roots, Some(wall))
                }
                _ => {
                    let place = self.sign(self.present(), key, NODE, wall - 2 * YEAR, wall - YEAR);
                    self.text_of(work, place, key, roots, Some(wall))
                }
            };
        }
        if !is_trusted {
            return unanswered(Failure::Untrusted("unknown issuer".into()));
        }
        if is_early {
            return unanswered(Failure::OutOfDate("not valid yet".into()));
        }
        match request {
            Request::Authority | Request::Time => self.text_of(work, self.present(), key, roots, Some(wall)),
            Request::Join { jwt, .. } => {
                if self.tokens.get(&**jwt).is_some_and(|(ends, _)| wall < *ends) {
                    let place = self.sign_now(key, wall);
                    self.text_of(work, place, key, roots, Some(wall))
                } else {
                    self.text(work, 401, "token is expired", false, wall, dice)
                }
            }
            Request::Renew { .. } => {
                if node.is_valid(node.in_use.as_ref(), self, wall, 0) {
                    let place = self.sign_now(key, wall);
                    self.text_of(work, place, key, roots, Some(wall))
                } else {
                    unanswered(Failure::Untrusted("certificate expired".into()))
                }
            }
        }
    }

    fn text(
        &self,
        work: WorkNumber,
        status: u16,
        text: &'static str,
        lies: bool,
        wall: i64,
        dice: &mut Dice,
    ) -> Option<IdentityInput> {
        let body = Bytes::from_static(text.as_bytes());
        let date = (!lies || dice.chance(500)).then_some(UnixMillis(wall * 1000));
        let location = (status == 302).then(|| "https://elsewhere/".into());
        let answer = Answer { status, date, location, body, certificate: None };
        Some(IdentityInput::Answered { work, answer })
    }

    fn text_of(
        &self,
        work: WorkNumber,
        place: usize,
        key: u64,
        roots: &[Bytes],
        date: Option<i64>,
    ) -> Option<IdentityInput> {
        let body = der(place);
        let certificate = self.facts(place, key, roots);
        let date = date.map(|seconds| UnixMillis(seconds * 1000));
        let answer = Answer { status: 200, date, location: None, body, certificate };
        Some(IdentityInput::Answered { work, answer })
    }
}

/// Whether a clock is so far behind that no connection is possible: the server's own certificate is as old as the world.
pub(super) fn is_early(clock: i64) -> bool {
    clock < super::START - YEAR
}

/// A certificate's DER: its place.
pub(super) fn der(place: usize) -> Bytes {
    Bytes::copy_from_slice(&(place as u64).to_be_bytes())
}

/// The place of a certificate in DER; none that there is for other bytes.
pub(super) fn place(der: &[u8]) -> usize {
    der.try_into().map_or(usize::MAX, |bytes| u64::from_be_bytes(bytes) as usize)
}

fn digest(body: &[u8]) -> Sha256 {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(body).for_each(|(to, from)| *to = *from);
    bytes[31] = body.len() as u8;
    Sha256(bytes)
}
