//! Noise on gradients: a network of twenty layers from good and bad starts, with and without.
//!
//! Source: Neelakantan et al., "Adding gradient noise improves learning for very deep networks",
//! 2015. A start of zeros has no gradient to follow; noise breaks it. He's start needs none, and
//! must not be harmed.

use std::io::Write;

use miette::{IntoDiagnostic, Result};
use synfire_runtime::device::Devices;
use synfire_runtime::launch::Weights;
use synfire_runtime::plan::Limits;
use synfire_runtime::random::Seed;

use crate::blocks::layer::Start;
use crate::tasks::{Deep, ImageTask, Model, Wish};
use crate::train::{Settings, TrainError, evaluate, train};

/// Accuracies up to this are chance: one in ten.
const CHANCE: f64 = 0.15;

/// What guessing gives: the accuracy of a network that diverged.
const GUESS: f64 = 0.1;

/// Starts, by name.
const STARTS: [(&str, Start); 3] =
    [("zeros", Start::Normal(0.0)), ("normal 0.1", Start::Normal(0.1)), ("He", Start::He)];

/// Trains from every start with and without noise; a line for each, with all test accuracies.
///
/// # Errors
/// When a training fails or a line cannot be written. A training that diverges counts as chance.
pub fn run(seeds: u64, steps: u64, eta: f64, out: &mut dyn Write) -> Result<()> {
    let any = ImageTask::new(Model::Deep(Deep { start: Start::He, eta }));
    let data = any.prepare(&Wish::default()).into_diagnostic()?.data;
    writeln!(out, "{data}").into_diagnostic()?;
    for (name, start) in STARTS {
        for eta in [0.0, eta] {
            let accuracies: Vec<f64> = (0..seeds)
                .map(|seed| accuracy(Deep { start, eta }, Seed(seed), steps))
                .collect::<Result<_>>()?;
            let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
            let above = accuracies.iter().filter(|&&own| own > CHANCE).count();
            let learnt = accuracies.iter().filter(|&&own| own >= 0.4).count();
            let all: Vec<String> = accuracies.iter().map(|own| format!("{own:.3}")).collect();
            writeln!(
                out,
                "{name:<11} eta {eta:<5} mean {mean:.3}  above chance {above}/{seeds}  \
                 at least 0.4 {learnt}/{seeds}  [{}]",
                all.join(" ")
            )
            .into_diagnostic()?;
        }
    }
    Ok(())
}

/// The test accuracy after training.
fn accuracy(deep: Deep, seed: Seed, steps: u64) -> Result<f64> {
    let wish = Wish { batch: Some(32), seed, ..Wish::default() };
    let task = ImageTask::new(Model::Deep(deep)).prepare(&wish).into_diagnostic()?.task;
    let folder = std::env::temp_dir().join(format!("synfire-noise-{}", std::process::id()));
    let settings = Settings {
        steps,
        interval: steps,
        patience: None,
        keep: 1,
        folder: folder.clone(),
        devices: Devices::cpu(1),
        seed,
        weights: Weights::default(),
        resume: false,
        limits: Limits::default(),
    };
    let outcome = train(&task, &settings, &mut ());
    // What is left in the folder is of no use, and does no harm where it stays.
    let _ = std::fs::remove_dir_all(&folder);
    let outcome = match outcome {
        Err(TrainError::Diverged { .. }) => return Ok(GUESS),
        outcome => outcome.into_diagnostic()?,
    };
    let test = evaluate(&task.test, &task, &settings.devices, &outcome.parameters, seed);
    Ok(test.into_diagnostic()?.get("accuracy").copied().unwrap_or(0.0))
}
