//! The certificate machine over years of virtual time, from one seed: certificates run out, authorities change, clocks are
//! wrong, the process is killed, servers refuse, stall and lie; and after every event the promises of
//! [`edgehub_core::identity`] hold.
//!
//! | file | its one job |
//! |---|---|
//! | `cloud` | a certificate service, and whoever answers in its place |
//! | `node` | a node's driver: files, keys, clocks, the token that somebody leaves there |
//! | `by_hand` | what people do: `join`, in a process of its own |
//! | `checks` | what must hold |
//! | `picture` | the machine's table, drawn |

mod by_hand;
mod checks;
mod cloud;
mod node;
mod picture;

pub use picture::picture;

use crate::dice::Dice;
use checks::Checks;
use cloud::{Asked, Cloud};
use edgehub_core::identity::{IdentityInput, IdentityOutput, IdentityState};
use node::{Committed, Node};
use std::fmt;

/// The wall clock at the beginning, in seconds of the Unix era.
pub(crate) const START: i64 = 1_800_000_000;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

/// In seconds.
const DAY: u64 = 86_400;

/// Far less than the last tenth of any life.
const TROUBLE_LONGEST: u64 = 3 * DAY * SECOND;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityReport {
    /// Virtual time, in seconds.
    pub seconds: u64,
    /// Requests that were sent.
    pub requests: usize,
    /// Pairs that were written after a request with a token.
    pub joins: usize,
    /// … and without one.
    pub renewals: usize,
    /// Times the process was killed, and those of them in the middle of a write.
    pub crashes: (usize, usize),
    /// Times a person was needed.
    pub helpless: usize,
    /// Times the clocks were told to differ.
    pub skews: usize,
    /// New authorities that were accepted through the old one.
    pub new_authorities: usize,
    /// Answers that were not what was asked for.
    pub faults: usize,
    /// Times a certificate ran out.
    pub expiries: usize,
    /// Pairs that were not put in place, for somebody else had put one there meanwhile.
    pub given_up: usize,
    /// Renewals that were not late, by the quarter of the time for it, from 70 to 90 % of the life.
    pub renewed_in: [usize; 4],
}

/// Runs one seed: five lives of a certificate with everything that can happen, then some time without faults. Panics with
/// the seed in the message when a promise is broken.
pub fn identity(seed: u64) -> IdentityReport {
    let mut dice = Dice::new(seed);
    let cloud = Cloud::new(&mut dice);
    let lives = 5 * cloud.life_seconds;
    World::new(seed, dice, cloud).run(lives)
}

/// So many years of a node that joined once and that nobody visits again, with certificates of months and years. Services, disks
/// and processes fail, for a few days at the longest, and authorities change: it must never need a person. Panics with the
/// seed in the message when it does, or when a promise is broken.
pub fn years(seed: u64, years: u32) -> IdentityReport {
    let mut dice = Dice::new(seed);
    let mut cloud = Cloud::new(&mut dice);
    cloud.life_seconds = dice.magnitude(90 * DAY, 2 * 365 * DAY);
    cloud.trouble = 0;
    let mut world = World::new(seed, dice, cloud);
    world.node.clock_error_ms = 0;
    if world.node.token.is_none() {
        world.node.token = Some(world.cloud.token(world.wall()));
    }
    world.until(DAY * SECOND);
    // From here on there is no token that could help.
    (world.node.token, world.node.fresh_tokens) = (None, false);
    let needed = |report: &IdentityReport| (report.joins, report.helpless, report.expiries);
    let joined = needed(&world.report);
    world.play_unattended(u64::from(years) * 365 * DAY);
    world.heal();
    assert_eq!(needed(&world.report), joined, "seed {seed}: {}", world.report);
    world.report
}

impl IdentityReport {
    /// Whether renewals came in every quarter of the time for it: nodes that joined together do not renew together.
    pub fn is_spread(&self) -> bool {
        let all: usize = self.renewed_in.iter().sum();
        // Each would have a quarter.
        self.renewed_in.iter().all(|renewals| renewals * 10 > all)
    }

    /// Adds another run.
    pub fn add(&mut self, other: &IdentityReport) {
        self.seconds += other.seconds;
        self.requests += other.requests;
        self.joins += other.joins;
        self.renewals += other.renewals;
        self.crashes.0 += other.crashes.0;
        self.crashes.1 += other.crashes.1;
        self.helpless += other.helpless;
        self.skews += other.skews;
        self.new_authorities += other.new_authorities;
        self.faults += other.faults;
        self.expiries += other.expiries;
        self.given_up += other.given_up;
        self.renewed_in.iter_mut().zip(other.renewed_in).for_each(|(sum, more)| *sum += more);
    }
}

impl fmt::Display for IdentityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IdentityReport { requests, joins, renewals, crashes: (crashes, torn), helpless, .. } = self;
        let IdentityReport { seconds, skews, new_authorities, faults, expiries, given_up, .. } = self;
        let days = seconds / DAY;
        write!(
            f,
            "{}.{} years, {requests} requests, {joins} joins, {renewals} renewals, {crashes} crashes ({torn} while writing), \
             {faults} wrong answers, {skews} skews, {new_authorities} new authorities, {expiries} expiries, \
             {given_up} pairs given up for another's, {helpless} times a person was needed",
            days / 365,
            days % 365 * 10 / 365,
        )
    }
}

/// Something that will happen.
struct Coming {
    at: u64,
    input: IdentityInput,
}

struct World {
    seed: u64,
    dice: Dice,
    /// Microseconds since the beginning, truly.
    now: u64,
    cloud: Cloud,
    node: Node,
    coming: Vec<Coming>,
    checks: Checks,
    report: IdentityReport,
}

impl World {
    fn new(seed: u64, mut dice: Dice, mut cloud: Cloud) -> World {
        let mut node = Node::new(cloud.alive.len(), &mut dice);
        if let Some(servers) = cloud.servers {
            node.given_by_hand(&mut cloud, servers);
        }
        let mut world = World {
            seed,
            dice,
            now: 0,
            cloud,
            node,
            coming: Vec::new(),
            checks: Checks::new(seed),
            report: IdentityReport::default(),
        };
        if world.dice.chance(600) {
            world.node.token = Some(world.cloud.token(world.wall()));
        }
        world.start();
        world
    }

    fn run(mut self, seconds: u64) -> IdentityReport {
        self.play(seconds);
        self.heal();
        self.report
    }

    /// The true wall clock, in seconds.
    fn wall(&self) -> i64 {
        START + (self.now / SECOND) as i64
    }

    fn start(&mut self) {
        let seed = self.dice.seed();
        self.node.start(seed, self.now);
        self.checks.started(self.now);
        self.drain();
    }

    fn play(&mut self, seconds: u64) {
        let life = self.cloud.life_seconds;
        let end = self.now + seconds * SECOND;
        let mut next_event = 0;
        while self.now < end {
            if self.now >= next_event {
                self.event();
                next_event = self.now + self.dice.magnitude(SECOND, life * SECOND / 2);
            }
            // What takes long may have gone on until after the end.
            self.go_on(next_event.min(end).max(self.now));
        }
    }

    /// Trouble comes and goes, and nobody looks after it.
    fn play_unattended(&mut self, seconds: u64) {
        let end = self.now + seconds * SECOND;
        let mut usually = 0;
        while self.now < end {
            let quiet = self.dice.magnitude(MINUTE, 60 * DAY * SECOND);
            self.until(self.now + quiet);
            match self.dice.number(0, 9) {
                0 => self.cloud.trouble = 1000,
                1 => self.cloud.leave_one_service(&mut self.dice),
                2..4 => usually = [0, 100, 300, 500][self.dice.index(4)],
                4..7 => self.crash(),
                7 => self.node.disk_fails = true,
                // The old one vouches for the new one for two lives.
                8 if self.cloud.is_settled(self.wall()) => self.cloud.new_authority(self.wall()),
                _ => {}
            }
            self.checks.event();
            let trouble = self.dice.magnitude(MINUTE, TROUBLE_LONGEST);
            self.until(self.now + trouble);
            (self.cloud.trouble, self.node.disk_fails) = (usually, false);
            self.cloud.alive.fill(true);
        }
    }

    fn until(&mut self, moment: u64) {
        while self.now < moment {
            self.go_on(moment);
        }
    }

    /// To the next thing that happens, or to `limit`.
    fn go_on(&mut self, limit: u64) {
        let deadline = self.node.identity.next_deadline().at.0 + self.node.started_at;
        assert!(deadline > self.now, "seed {}: a deadline in the past at {}", self.seed, self.now);
        let first = self.coming.iter().enumerate().min_by_key(|(_, coming)| coming.at);
        match first.map(|(index, coming)| (index, coming.at)) {
            Some((index, at)) if at <= deadline.min(limit) => {
                self.now = self.now.max(at);
                let input = self.coming.swap_remove(index).input;
                self.handle(input);
            }
            _ if deadline <= limit => {
                self.now = deadline;
                self.handle(IdentityInput::Tick);
            }
            _ => self.now = limit,
        }
        self.checks.time(self.now, &self.node, &self.cloud);
    }

    fn handle(&mut self, mut input: IdentityInput) {
        if let IdentityInput::Written { work } = input
            && !self.commit()
        {
            input = IdentityInput::Failed { work, why: "somebody else has put files there".into() };
        }
        self.checks.before(&mut self.node, &input);
        self.node.handle(self.now, input);
        self.drain();
    }

    /// What is being written comes to the disk; or it does not, for something new is there.
    fn commit(&mut self) -> bool {
        let committed = self.node.commit();
        let overwrites = committed == Some(Committed::Overwrote);
        assert!(!overwrites, "seed {}: what somebody else has put there is overwritten unseen", self.seed);
        match committed {
            Some(Committed::Joined) => self.report.joins += 1,
            Some(Committed::Renewed) => self.report.renewals += 1,
            Some(Committed::GivenUp) => self.report.given_up += 1,
            Some(Committed::Overwrote) | None => {}
        }
        let is_put = matches!(committed, Some(Committed::Joined | Committed::Renewed));
        if is_put {
            let renewed = committed == Some(Committed::Renewed);
            self.checks.written(self.wall(), &self.node, &self.cloud, renewed);
            self.checks.disk(&self.node, &self.cloud);
        }
        is_put
    }

    fn drain(&mut self) {
        let mut outputs = Vec::new();
        while let Some(output) = self.node.identity.poll_output() {
            outputs.push(output);
        }
        assert!(outputs.len() < 20, "seed {}: {outputs:?}", self.seed);
        self.checks.after(self.now, &mut self.node, &self.cloud, &outputs, &mut self.report);
        for output in outputs {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: IdentityOutput) {
        let soon = self.now + self.dice.magnitude(1, SECOND);
        let input = match output {
            IdentityOutput::Load { work } => {
                if self.node.fresh_tokens {
                    self.node.token = Some(self.cloud.token(self.wall()));
                }
                self.node.load(work, &self.cloud)
            }
            IdentityOutput::Send { work, service, request, trust } => {
                self.report.requests += 1;
                let before = self.cloud.faults;
                let wall = self.wall();
                let asked = Asked { service, request, trust };
                let answer = self.cloud.answer(work, &asked, &self.node, wall, &mut self.dice);
                self.report.faults += self.cloud.faults - before;
                // A server that stalls says nothing, ever.
                let Some(answer) = answer else { return };
                answer
            }
            IdentityOutput::Cancel { .. } => return self.coming.clear(),
            IdentityOutput::MakeKey { work } => self.node.make_key(work, &mut self.dice),
            IdentityOutput::Write { work, .. } => {
                self.node.prepare(output, &self.cloud);
                if self.node.disk_fails {
                    self.node.lose_writing();
                    IdentityInput::Failed { work, why: "no space".into() }
                } else {
                    IdentityInput::Written { work }
                }
            }
            IdentityOutput::Use { files } => {
                let before = self.node.uses(files);
                return self.checks.used(self.wall(), before.as_ref(), &mut self.node, &self.cloud);
            }
            IdentityOutput::Note(_) => return,
        };
        self.coming.push(Coming { at: soon, input });
    }

    /// Something from outside.
    fn event(&mut self) {
        let wall = self.wall();
        match self.dice.number(0, 99) {
            0..20 => self.cloud.trouble = [0, 0, 100, 500, 1000][self.dice.index(5)],
            20..25 => self.cloud.shuffle_services(&mut self.dice),
            25..37 => self.crash(),
            37..40 => self.switched_off(),
            40..50 => self.node.step_clock(&mut self.dice),
            50..60 => self.node.clock_error_ms = 0,
            60..70 => self.node.token = Some(self.cloud.token(wall)),
            70..75 => self.node.token = None,
            75..80 => self.node.fresh_tokens = !self.node.fresh_tokens,
            80..83 => self.cloud.new_authority(wall),
            83..85 => {
                self.cloud.rebuild(wall);
                self.join_by_hand();
            }
            85..88 => self.node.disk_fails = !self.node.disk_fails,
            88..90 => self.node.mixed_up(&mut self.cloud, wall),
            90..95 => self.join_by_hand(),
            _ => {
                let token = self.cloud.token(wall);
                self.handle(IdentityInput::Token(token));
            }
        }
        self.checks.event();
    }

    /// Kills the process; what it was writing is there as a whole, or not at all.
    fn crash(&mut self) {
        self.report.crashes.0 += 1;
        if self.node.is_writing() {
            self.report.crashes.1 += 1;
            if self.dice.chance(500) {
                self.commit();
            }
        }
        self.coming.clear();
        self.start();
    }

    /// The node is switched off until its certificate has run out; now and then somebody leaves a token there.
    fn switched_off(&mut self) {
        self.node.lose_writing();
        self.coming.clear();
        self.now += self.cloud.life_seconds * SECOND * self.dice.number(1, 2);
        if self.dice.chance(500) {
            self.node.token = Some(self.cloud.token(self.wall()));
        }
        self.start();
    }

    /// A time in which everything works: longer than from one look at the clock to the next.
    fn heal(&mut self) {
        self.cloud.trouble = 0;
        self.cloud.leave_one_service(&mut self.dice);
        self.cloud.renew_server();
        self.node.clock_error_ms = 0;
        self.node.disk_fails = false;
        self.checks.event();
        self.until(self.now + 75 * MINUTE);
        self.checks.is_to_rest();
        self.until(self.now + 30 * MINUTE);
        self.checks.has_rested();
        self.report.seconds = self.now / SECOND;
        let state = self.node.identity.state();
        let wall = self.wall();
        let can_join = self.node.fresh_tokens || self.node.has_good_token(&self.cloud, wall);
        let has_pair = self.node.has_valid_pair(&self.cloud, wall, 0);
        let expected = if can_join || has_pair { "usable" } else { "a token is needed" };
        let holds = match state {
            IdentityState::Usable | IdentityState::Rotating => {
                // Of an unknown authority, and nothing better can be had.
                let is_told = !can_join && !has_pair && self.node.identity.health().problem.is_some();
                is_told || self.node.is_valid(self.node.in_use.as_ref(), &self.cloud, wall, 0)
            }
            IdentityState::NeedsToken => !can_join && !has_pair,
            _ => false,
        };
        let health = self.node.identity.health();
        assert!(holds, "seed {}: {state:?} in the end, where it should be: {expected}; {health}", self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_breaks_a_promise() {
        let mut total = IdentityReport::default();
        for seed in 0..200 {
            total.add(&identity(seed));
        }
        // The runs reach what they are meant to reach.
        println!("{total:?}");
        assert!(total.seconds > 4 * 365 * 86_400, "{total:?}");
        assert!(total.joins > 100 && total.renewals > 200 && total.crashes.0 > 500, "{total:?}");
        assert!(total.helpless > 100 && total.skews > 30 && total.new_authorities > 20, "{total:?}");
        assert!(total.faults > 2000 && total.expiries > 100, "{total:?}");
        assert!(total.is_spread(), "{total:?}");
    }

    /// Every hour of a hundred and twenty years is played.
    #[test]
    fn a_node_that_nobody_visits_keeps_its_identity_for_decades() {
        let mut total = IdentityReport::default();
        for seed in 0..6 {
            total.add(&years(seed, 20));
        }
        println!("{total}");
        assert!(total.seconds > 6 * 20 * 365 * DAY, "{total}");
        assert!(total.renewals > 60 && total.faults > 100 && total.crashes.0 > 30, "{total}");
        assert!(total.new_authorities > 5, "{total}");
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        assert_eq!(identity(7), identity(7));
    }
}
