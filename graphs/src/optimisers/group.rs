//! Groups: parameters that are trained in another way than the rest, chosen by their paths.

use std::fmt;

use super::Optimiser;

/// Some parameters, and what is different about them.
pub struct Group {
    takes: Box<dyn Fn(&str) -> bool>,
    /// What the rate is multiplied by.
    pub rate: f64,
    /// What updates them, if something else than the rest.
    pub optimiser: Option<Box<dyn Optimiser>>,
    /// The weight decay, if another than the optimiser's.
    pub weight_decay: Option<f64>,
    /// Whether they stay as they are: no gradient is computed for them.
    pub frozen: bool,
}

impl Group {
    /// The parameters whose path `takes` accepts; so far nothing is different about them.
    #[must_use]
    pub fn new(takes: impl Fn(&str) -> bool + 'static) -> Self {
        Self {
            takes: Box::new(takes),
            rate: 1.0,
            optimiser: None,
            weight_decay: None,
            frozen: false,
        }
    }

    /// Sets what the rate is multiplied by.
    #[must_use]
    pub fn rate(mut self, factor: f64) -> Self {
        self.rate = factor;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = Some(decay);
        self
    }

    /// Sets what updates them.
    #[must_use]
    pub fn optimiser(mut self, optimiser: impl Optimiser + 'static) -> Self {
        self.optimiser = Some(Box::new(optimiser));
        self
    }

    /// Leaves the parameters as they are.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    pub(super) fn takes(&self, path: &str) -> bool {
        (self.takes)(path)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = f.debug_struct("Group");
        own.field("rate", &self.rate).field("optimiser", &self.optimiser);
        own.field("weight_decay", &self.weight_decay);
        own.field("frozen", &self.frozen).finish_non_exhaustive()
    }
}
