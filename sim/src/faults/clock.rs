//! Clocks are wrong: the wall clock steps or swings, the monotonic one steps, drifts or trembles, each by itself.

use crate::catalogue::Family;
use crate::checks::Outcome;
use crate::scenario::verb::{Call, count, time, word};
use crate::scenario::{Parameter, Subject, Verb};
use crate::world::{Swing, World};

pub(crate) const FAMILY: Family =
    Family { name: "clock", verbs: &[WALL_STEP, WALL_WAVE, STEP, DRIFT, NOISE] };

const TO: Parameter = word("to", &["ahead", "back"]);

const WALL_STEP: Verb = Verb {
    name: "wall-step",
    subject: Subject::Node,
    parameters: &[TO, time("by", 1, 10 * 86_400_000)],
    act: wall_step,
};

const WALL_WAVE: Verb = Verb {
    name: "wall-wave",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 600_000), time("by", 1, 86_400_000), time("period", 2, 60_000)],
    act: wall_wave,
};

const STEP: Verb =
    Verb { name: "clock-step", subject: Subject::Node, parameters: &[TO, time("by", 1, 60_000)], act: step };

const DRIFT: Verb =
    Verb { name: "drift", subject: Subject::Node, parameters: &[TO, count("ppm", 1, 100_000)], act: drift };

const NOISE: Verb = Verb {
    name: "noise",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 120_000), time("by", 1, 2_000)],
    act: noise,
};

fn wall_step(world: &mut World, call: &Call) -> Outcome {
    let by = call.time(1).as_millis() as i64;
    world.edges[call.node].clock.wall_skew_ms += if call.values[0] == 1 { -by } else { by };
    Ok(())
}

fn wall_wave(world: &mut World, call: &Call) -> Outcome {
    let until = world.now + call.time(0);
    let wave = Swing { until, amplitude: call.time(1), period: call.time(2) };
    world.edges[call.node].clock.wave = Some(wave);
    Ok(())
}

fn step(world: &mut World, call: &Call) -> Outcome {
    let now = world.now;
    world.edges[call.node].clock.step(now, call.time(1), call.values[0] == 1);
    world.clock_changed(call.node)
}

fn drift(world: &mut World, call: &Call) -> Outcome {
    let now = world.now;
    world.edges[call.node].clock.drift(now, call.values[1], call.values[0] == 1);
    world.clock_changed(call.node)
}

fn noise(world: &mut World, call: &Call) -> Outcome {
    let until = world.now + call.time(0);
    let noise = Swing { until, amplitude: call.time(1), period: call.time(1) };
    world.edges[call.node].clock.noise = Some(noise);
    Ok(())
}
