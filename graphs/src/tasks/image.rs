//! Images into classes: a network, cross-entropy, and what each network is trained by.

use synfire_ops::arrange::reshape::{Extent, reshape};
use synfire_ops::broadcast::binary::{equal, multiply};
use synfire_ops::broadcast::cast::cast;
use synfire_ops::loss::cross_entropy::{CrossEntropy, cross_entropy};
use synfire_ops::loss::nll::Classes;
use synfire_ops::losses::Total;
use synfire_ops::reduce::arg::argmax;
use synfire_ops::reduce::reduction::{Keep, sum};
use synfire_runtime::define::{Draft, Wire};
use synfire_runtime::graph::Graph;
use synfire_runtime::place::Placement;
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Element;

use super::{Prepared, Source, TaskError, Wish};
use crate::blocks::Mode;
use crate::data::augment::Augment;
use crate::data::batches::{Batches, batches};
use crate::data::dataset::{Dataset, Examples, Moments};
use crate::data::digits::{mnist, mnist_folder, mnist_sample};
use crate::models::vision::{cnn, mlp, resnet, simplenet};
use crate::optimisers::schedule::OneCycle;
use crate::optimisers::{Adam, AdamW, Training};
use crate::train::{Goal, Task};

/// Examples of an evaluation's batch.
const BATCH: usize = 250;

/// The networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// See [`mlp`].
    Mlp,
    /// See [`cnn`].
    Cnn,
    /// See [`resnet`].
    Resnet,
    /// See [`simplenet`], the slim form.
    Simplenet,
}

impl Model {
    /// The network of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mlp" => Self::Mlp,
            "cnn" => Self::Cnn,
            "resnet" => Self::Resnet,
            "simplenet" => Self::Simplenet,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
            Self::Resnet => "resnet",
            Self::Simplenet => "simplenet",
        }
    }

    /// The logits of images `f32[batch, 1, rows, columns]`.
    pub fn define(self, draft: &mut Draft, x: Wire, mode: Mode) -> Wire {
        match self {
            Self::Mlp => mlp::define(&mlp::Config::mnist(), draft, x),
            Self::Cnn => cnn::define(&cnn::Config::mnist(), draft, x, mode),
            Self::Resnet => resnet::define(&resnet::Config::mnist(), draft, x, mode),
            Self::Simplenet => simplenet::define(&simplenet::Config::slim(), draft, x, mode),
        }
    }

    /// Epochs and the largest rate.
    fn recipe(self) -> (u32, f64) {
        match self {
            Self::Mlp => (10, 2e-3),
            Self::Cnn => (5, 3e-3),
            Self::Resnet => (5, 1e-2),
            Self::Simplenet => (5, 5e-3),
        }
    }
}

/// A network that tells handwritten digits apart.
#[derive(Clone, Copy, Debug)]
pub struct ImageTask {
    model: Model,
}

/// Examples for training, validation and test.
struct Parts {
    train: Dataset,
    validation: Dataset,
    test: Dataset,
    origin: String,
}

impl ImageTask {
    /// The task of a network.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Self { model }
    }

    /// Its graphs.
    ///
    /// # Errors
    /// See [`super::prepare`].
    pub fn prepare(self, wish: &Wish) -> Result<Prepared, TaskError> {
        let parts = parts(&wish.source, wish.seed)?;
        let (epochs, rate) = self.model.recipe();
        let epochs = u64::from(wish.epochs.unwrap_or(epochs));
        let batch = wish.batch.unwrap_or(64);
        let (mean, deviation) = parts.train.moments(Moments::All);
        let normal = |batches: Batches| batches.normalise(&mean, &deviation);
        let source = normal(batches(parts.train, batch, wish.seed.named("train")));
        // A perceptron sees pixels, not shapes: moving them about takes it longer than it has.
        let source = match self.model {
            Model::Mlp => source.augment(Augment::Shift { most: [1, 1] }),
            _ => source.augment(Augment::Shift { most: [2, 2] }),
        };
        let steps_per_epoch = source.steps();
        let steps = epochs * steps_per_epoch;
        let schedule = OneCycle::new(wish.rate.unwrap_or(rate), steps.try_into().unwrap_or(1));
        let training = match self.model {
            Model::Mlp | Model::Cnn => Training::new(Adam::default(), schedule),
            _ => Training::new(AdamW::default(), schedule),
        };
        let held = |data: Dataset| {
            let size = BATCH.min(data.count());
            self.evaluation(normal(batches(data, size, Seed(0)).in_order().padded().epochs(1)))
        };
        let task = Task {
            name: self.model.name().to_owned(),
            training: self.training(source, &training)?,
            evaluation: held(parts.validation)?,
            test: held(parts.test)?,
            placement: Placement::new(),
            steps_per_epoch,
            goal: Goal::Highest("accuracy"),
        };
        Ok(Prepared { task, steps, data: parts.origin })
    }

    fn training(self, source: Batches, training: &Training) -> Result<Graph, TaskError> {
        let mut draft = Draft::new();
        let given = draft.apply_many(source, &[]);
        let logits = self.logits(&mut draft, given[0], Mode::Train);
        let loss = entropy(&mut draft, logits, given[1], Total::Mean);
        draft.outlet("loss", loss);
        let trained = training.train(&mut draft, loss)?;
        draft.outlet("rate", trained.rate);
        Ok(draft.check()?)
    }

    fn evaluation(self, source: Batches) -> Result<Graph, TaskError> {
        let mut draft = Draft::new();
        let given = draft.apply_many(source, &[]);
        let [x, label, weight] = given[..] else { unreachable!("padded batches have weights") };
        let logits = self.logits(&mut draft, x, Mode::Evaluate);
        let losses = entropy(&mut draft, logits, label, Total::Each);
        let guess = draft.apply(argmax(1, Keep::Nothing), &[logits]);
        let right = draft.apply(equal(), &[guess, label]);
        let right = draft.apply(cast(Element::F32), &[right]);
        for (name, numbers) in
            [("loss", Some(losses)), ("accuracy", Some(right)), ("examples", None)]
        {
            let own = match numbers {
                Some(numbers) => draft.apply(multiply(), &[numbers, weight]),
                None => weight,
            };
            let total = draft.apply(sum(&[0], Keep::Nothing), &[own]);
            draft.outlet(name, total);
        }
        Ok(draft.check()?)
    }

    /// The logits of images without an axis of channels.
    fn logits(self, draft: &mut Draft, x: Wire, mode: Mode) -> Wire {
        let bounds = draft.spec(x).map_or(vec![1, 1, 1], |spec| spec.bounds().to_vec());
        let [batch, rows, columns] = [0, 1, 2].map(|axis| Extent::Is(bounds[axis]));
        let x = draft.apply(reshape(&[batch, Extent::Is(1), rows, columns]), &[x]);
        draft.scope(self.model.name(), |draft| self.model.define(draft, x, mode))
    }
}

fn entropy(draft: &mut Draft, logits: Wire, label: Wire, total: Total) -> Wire {
    let classes = Classes { axis: 1, weight: None, ignored: None };
    cross_entropy(draft, logits, label, CrossEntropy { classes, smoothing: 0.0 }, total)
}

/// The examples of a source. Validation is a twelfth of what is for training.
fn parts(source: &Source, seed: Seed) -> Result<Parts, TaskError> {
    let folder = match source {
        Source::Folder(folder) => Some(folder.clone()),
        Source::Best => Some(mnist_folder()).filter(|folder| mnist(folder).is_ok()),
        Source::Sample => None,
    };
    let split = seed.named("split");
    let (learn, test, origin) = match folder {
        Some(folder) => {
            let all = mnist(&folder)?;
            (all.train, all.test, format!("MNIST in {}", folder.display()))
        }
        None => {
            let mut parts = mnist_sample().split(&[4.0, 1.0], split)?;
            let test = parts.pop().unwrap_or_else(mnist_sample);
            let learn = parts.pop().unwrap_or_else(mnist_sample);
            let fetch = "graphs/assets/data/fetch-mnist.sh fetches all of it";
            (learn, test, format!("the shipped sample of MNIST, 5000 images; {fetch}"))
        }
    };
    let mut parts = learn.split(&[11.0, 1.0], split)?;
    let validation = parts.pop().unwrap_or_else(|| test.clone());
    let train = parts.pop().unwrap_or(learn);
    Ok(Parts { train, validation, test, origin })
}
