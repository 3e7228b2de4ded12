//! Clocks are wrong: a node's wall clock or its monotonic one steps, drifts, swings or trembles, each by itself; the cloud's step
//! and drift.

use crate::catalogue::Family;
use crate::effects::Effect;
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

/// What is drawn after everything else.
pub(crate) const LATER: Family =
    Family { name: "more clocks", verbs: &[WAVE, WALL_DRIFT, WALL_NOISE, CLOUD_STEP, CLOUD_DRIFT] };

const WAVE: Verb = Verb {
    name: "clock-wave",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 120_000), time("by", 1, 2_000), time("period", 100, 60_000)],
    act: wave,
};

const WALL_DRIFT: Verb = Verb {
    name: "wall-drift",
    subject: Subject::Node,
    parameters: &[TO, count("ppm", 1, 100_000)],
    act: wall_drift,
};

const WALL_NOISE: Verb = Verb {
    name: "wall-noise",
    subject: Subject::Node,
    parameters: &[time("for", 1_000, 120_000), time("by", 1, 86_400_000)],
    act: wall_noise,
};

/// Both of its clocks, as when a machine that was stopped goes on.
const CLOUD_STEP: Verb = Verb {
    name: "clock-step",
    subject: Subject::Cloud,
    parameters: &[TO, time("by", 1, 60_000)],
    act: cloud_step,
};

const CLOUD_DRIFT: Verb = Verb {
    name: "drift",
    subject: Subject::Cloud,
    parameters: &[TO, count("ppm", 1, 100_000)],
    act: cloud_drift,
};

fn wall_step(world: &mut World, call: &Call) -> Effect {
    let by = call.time(1).as_millis() as i64;
    world.edges[call.node].clock.wall_skew_ms += if call.values[0] == 1 { -by } else { by };
    Ok(true)
}

fn wall_wave(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    let wave = Swing { until, amplitude: call.time(1), period: call.time(2) };
    world.edges[call.node].clock.wall_wave = Some(wave);
    Ok(true)
}

fn step(world: &mut World, call: &Call) -> Effect {
    let now = world.now;
    world.edges[call.node].clock.step(now, call.time(1), call.values[0] == 1);
    world.clock_changed(call.node);
    Ok(true)
}

fn drift(world: &mut World, call: &Call) -> Effect {
    let now = world.now;
    world.edges[call.node].clock.drift(now, call.values[1], call.values[0] == 1);
    world.clock_changed(call.node);
    Ok(true)
}

fn noise(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    let noise = Swing { until, amplitude: call.time(1), period: call.time(1) };
    world.edges[call.node].clock.noise = Some(noise);
    Ok(true)
}

fn wave(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    let wave = Swing { until, amplitude: call.time(1), period: call.time(2) };
    world.edges[call.node].clock.wave = Some(wave);
    Ok(true)
}

fn wall_drift(world: &mut World, call: &Call) -> Effect {
    let now = world.now;
    world.edges[call.node].clock.wall_drift(now, call.values[1], call.values[0] == 1);
    Ok(true)
}

fn wall_noise(world: &mut World, call: &Call) -> Effect {
    let until = world.now + call.time(0);
    let noise = Swing { until, amplitude: call.time(1), period: call.time(1) };
    world.edges[call.node].clock.wall_noise = Some(noise);
    Ok(true)
}

fn cloud_step(world: &mut World, call: &Call) -> Effect {
    let (now, by, back) = (world.now, call.time(1), call.values[0] == 1);
    let millis = by.as_millis() as i64;
    let clock = &mut world.clouds[call.node].clock;
    clock.step(now, by, back);
    clock.wall_skew_ms += if back { -millis } else { millis };
    world.cloud_clock_changed(call.node);
    Ok(true)
}

fn cloud_drift(world: &mut World, call: &Call) -> Effect {
    let (now, ppm, back) = (world.now, call.values[1], call.values[0] == 1);
    let clock = &mut world.clouds[call.node].clock;
    clock.drift(now, ppm, back);
    clock.wall_drift(now, ppm, back);
    world.cloud_clock_changed(call.node);
    Ok(true)
}
