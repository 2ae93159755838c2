//! PPN on the synthetic track: both networks at once, one on each device.
//!
//! The *segmentation* network learns where obstacles stand 0.2 s later, seen or hidden, by
//! `SmoothL1 + MSE + 1 - IoU`. The *reconstruction* network learns to give again what the
//! segmentation network sees, without side features, by an edge preserving loss (Suwesh,
//! "Parallel-Perception-Network"): `a MSE(p, t) + (1 - a) MSE(E p, E t) + a SmoothL1(p, t) +
//! (1 - a) SmoothL1(E p, E t)`, where `t` is the other network's output, not trained by it, `E` the
//! Sobel magnitude (the published Canny edges have no gradient) and `a = 0.85`. Its maps are the
//! only stream between the devices.

use synfire_ops::arrange::slice::slice;
use synfire_ops::broadcast::binary::{add, divide, greater, maximum, multiply, subtract};
use synfire_ops::broadcast::cast::cast;
use synfire_ops::loss::mse::mse;
use synfire_ops::loss::smooth_l1::smooth_l1;
use synfire_ops::losses::Total;
use synfire_ops::pointwise::stop_gradient::stop_gradient;
use synfire_ops::pointwise::unary::{clamp, fill, neg, scale, shift};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::device::Devices;
use synfire_runtime::graph::Graph;
use synfire_runtime::place::Placement;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Element;

use super::{Prepared, TaskError, Wish};
use crate::blocks::Mode;
use crate::blocks::edge::edges;
use crate::data::batches::{Batches, batches};
use crate::data::track::{TrackConfig, TrackExamples, TrackExamplesConfig};
use crate::models::perception::ppn::{self, Network};
use crate::optimisers::schedule::OneCycle;
use crate::optimisers::{Adam, Group, Training};
use crate::train::{Goal, Task};

/// Scans that a target is ahead: 0.2 s.
const AHEAD: usize = 2;

/// What keeps a quotient of empty maps finite.
const EPSILON: f64 = 1e-6;

/// PPN to be trained.
#[derive(Clone, Debug)]
pub struct PpnTask {
    /// The networks.
    pub config: ppn::Config,
    /// The part `a` of the reconstruction loss that is not about edges.
    pub plain: f64,
    /// Courses to train on, and scans of each.
    pub courses: (u64, usize),
}

impl PpnTask {
    /// The networks that `synfire run ppn` runs.
    #[must_use]
    pub fn compact() -> Self {
        Self { config: ppn::Config::compact(), plain: 0.85, courses: (12, 60) }
    }

    /// For tests.
    #[must_use]
    pub fn tiny() -> Self {
        let config = ppn::Config { size: 52, resolution_m: 2.0, ..ppn::Config::tiny() };
        Self { config, plain: 0.85, courses: (2, 16) }
    }

    /// Its graphs.
    ///
    /// # Errors
    /// See [`super::prepare`].
    pub fn prepare(&self, wish: &Wish) -> Result<Prepared, TaskError> {
        let (courses, scans) = self.courses;
        let learn = self.examples(wish.seed.named("train"), courses, scans)?;
        let batch = wish.batch.unwrap_or(2);
        let source = batches(learn, batch, wish.seed.named("order"));
        let steps_per_epoch = source.steps();
        let steps = u64::from(wish.epochs.unwrap_or(4)) * steps_per_epoch;
        let schedule = OneCycle::new(wish.rate.unwrap_or(2e-3), steps.try_into().unwrap_or(1));
        let mut training = Training::new(Adam::default(), schedule);
        if self.plain < 1.0 {
            // The kernels of edges are constants, not weights.
            training.groups.push(Group::new(|path| !path.starts_with("ppn/")).frozen());
        }
        let held = |name: &str| {
            let data = self.examples(wish.seed.named(name), 2, 12)?;
            self.evaluation(batches(data, 1, Seed(0)).in_order().epochs(1), &wish.devices)
        };
        let task = Task {
            name: "ppn".to_owned(),
            training: self.training(source, &training, &wish.devices)?,
            evaluation: held("validation")?,
            test: held("test")?,
            placement: Placement::new(),
            steps_per_epoch,
            goal: Goal::Highest("iou"),
        };
        let data = format!("{courses} synthetic courses of {scans} scans, others for validation");
        Ok(Prepared { task, steps, data })
    }

    fn examples(&self, seed: Seed, courses: u64, scans: usize) -> Result<TrackExamples, TaskError> {
        let config = &self.config;
        Ok(TrackExamples::new(&TrackExamplesConfig {
            track: TrackConfig::sixteen(),
            seeds: (0..courses).map(|course| seed.derive(course).0).collect(),
            first: 0,
            scans,
            maps: config.maps,
            ahead: AHEAD,
            size: config.size,
            resolution_m: config.resolution_m,
        })?)
    }

    fn training(
        &self,
        source: Batches,
        training: &Training,
        devices: &Devices,
    ) -> Result<Graph, TaskError> {
        let mut draft = Draft::new();
        let given = draft.apply_many(source, &[]);
        let config = ppn::Config { mode: Mode::Train, ..self.config.clone() };
        let [near, far] = ends(devices);
        let [segmented, first] = draft.on(&near, |draft| {
            let map = ppn::network(&config, draft, Network::Segmentation, given[0]);
            let later = draft.apply(slice(1, 1, 2, 1), &[given[1]]);
            let distance = distance(draft, map, later);
            let apart = apart(draft, map, later);
            [map, draft.apply(add(), &[distance, apart])]
        });
        let second = draft.on(&far, |draft| {
            let map = ppn::network(&config, draft, Network::Reconstruction, given[0]);
            let teacher = draft.apply(stop_gradient(), &[segmented]);
            self.preserving(draft, map, teacher)
        });
        let loss = draft.apply(add(), &[first, second]);
        draft.outlet("loss", loss);
        draft.outlet("segmentation", first);
        draft.outlet("reconstruction", second);
        training.train(&mut draft, loss)?;
        Ok(draft.check()?)
    }

    /// The edge preserving loss.
    fn preserving(&self, draft: &mut Draft, map: Wire, target: Wire) -> Wire {
        let plain = distance(draft, map, target);
        if self.plain >= 1.0 {
            return plain;
        }
        let [map, target] =
            [("rebuilt", map), ("taught", target)].map(|(name, own)| edges(draft, name, own));
        let edge = distance(draft, map, target);
        let parts = [(plain, self.plain), (edge, 1.0 - self.plain)];
        let [plain, edge] = parts.map(|(own, part)| draft.apply(scale(part), &[own]));
        draft.apply(add(), &[plain, edge])
    }

    fn evaluation(&self, source: Batches, devices: &Devices) -> Result<Graph, TaskError> {
        let mut draft = Draft::new();
        let given = draft.apply_many(source, &[]);
        let [near, far] = ends(devices);
        let maps = [(Network::Segmentation, near), (Network::Reconstruction, far)];
        let [segmented, rebuilt] = maps.map(|(network, device)| {
            draft.on(&device, |draft| ppn::network(&self.config, draft, network, given[0]))
        });
        let later = draft.apply(slice(1, 1, 2, 1), &[given[1]]);
        let last = self.config.maps - 1;
        let seen = draft.apply(slice(1, last, last + 1, 1), &[given[0]]);
        let loss = distance(&mut draft, segmented, later);
        let again = distance(&mut draft, rebuilt, segmented);
        let [own, wanted] = [("rebuilt", rebuilt), ("taught", segmented)]
            .map(|(name, map)| edges(&mut draft, name, map));
        let edge = mse(&mut draft, own, wanted, Total::Mean);
        let iou = iou(&mut draft, segmented, later);
        let copied = self::iou(&mut draft, seen, later);
        let one = draft.apply(fill(1.0), &[loss]);
        for (name, wire) in [
            ("loss", loss),
            ("reconstruction", again),
            ("edge_error", edge),
            ("iou", iou),
            ("iou_of_copy", copied),
            ("examples", one),
        ] {
            draft.outlet(name, wire);
        }
        Ok(draft.check()?)
    }
}

/// `SmoothL1 + MSE`.
fn distance(draft: &mut Draft, map: Wire, target: Wire) -> Wire {
    let smooth = smooth_l1(draft, map, target, 1.0, Total::Mean);
    let square = mse(draft, map, target, Total::Mean);
    draft.apply(add(), &[smooth, square])
}

/// One minus the soft intersection over union of all maps, cells cut to 0..1: obstacles are few,
/// and a distance alone is content to find none.
fn apart(draft: &mut Draft, map: Wire, target: Wire) -> Wire {
    let map = draft.apply(clamp(0.0, 1.0), &[map]);
    let product = draft.apply(multiply(), &[map, target]);
    let sum = draft.apply(add(), &[map, target]);
    let any = draft.apply(subtract(), &[sum, product]);
    let [both, any] = [product, any].map(|own| {
        let total = Total::Sum.of(draft, own);
        draft.apply(shift(EPSILON), &[total])
    });
    let part = draft.apply(divide(), &[both, any]);
    let part = draft.apply(neg(), &[part]);
    draft.apply(shift(1.0), &[part])
}

/// Cells that are above one half in both maps, over those that are in any.
fn iou(draft: &mut Draft, map: Wire, target: Wire) -> Wire {
    let [map, target] = [map, target].map(|own| {
        let half = draft.apply(fill(0.5), &[own]);
        let is_taken = draft.apply(greater(), &[own, half]);
        draft.apply(cast(Element::F32), &[is_taken])
    });
    let both = draft.apply(multiply(), &[map, target]);
    let any = draft.apply(maximum(), &[map, target]);
    let [both, any] = [both, any].map(|own| {
        let total = Total::Sum.of(draft, own);
        draft.apply(shift(EPSILON), &[total])
    });
    draft.apply(divide(), &[both, any])
}

/// The first and the last of the devices, for one network each, its gradient and its optimiser.
fn ends(devices: &Devices) -> [String; 2] {
    let names: Vec<&str> = devices.iter().map(|(name, _)| name).collect();
    [names.first(), names.last()].map(|name| name.copied().unwrap_or("cpu:0").to_owned())
}
