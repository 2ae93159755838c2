//! The rows of the family: what the formula of a step needs and is called.

/// The formula of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::recurrent) enum Kind {
    /// `tanh` of a sum.
    Tanh,
    /// The rectifier of a sum.
    Relu,
    /// Reset, update and new gates.
    Gru,
    /// Input, forget, new and output gates.
    Lstm,
}

/// A row of the family.
#[derive(Debug)]
pub(in crate::recurrent) struct Cell {
    pub(in crate::recurrent) kind: Kind,
    /// The name of the recurrence.
    pub(in crate::recurrent) scan: &'static str,
    /// The names of its tangent and its adjoint.
    pub(in crate::recurrent) linear: [&'static str; 2],
    pub(in crate::recurrent) gates: usize,
    /// Parts of the state: `h`, or `h` and `c`.
    pub(in crate::recurrent) states: usize,
}

/// The most parts of a state.
pub(in crate::recurrent) const STATES_MAX: usize = 2;

const RNN: [&str; 2] = ["rnn_tangent_scan", "rnn_adjoint_scan"];

pub(in crate::recurrent) const TANH: &Cell =
    &Cell { kind: Kind::Tanh, scan: "rnn_tanh_scan", linear: RNN, gates: 1, states: 1 };

pub(in crate::recurrent) const RELU: &Cell =
    &Cell { kind: Kind::Relu, scan: "rnn_relu_scan", linear: RNN, gates: 1, states: 1 };

pub(in crate::recurrent) const GRU: &Cell = &Cell {
    kind: Kind::Gru,
    scan: "gru_scan",
    linear: ["gru_tangent_scan", "gru_adjoint_scan"],
    gates: 3,
    states: 1,
};

pub(in crate::recurrent) const LSTM: &Cell = &Cell {
    kind: Kind::Lstm,
    scan: "lstm_scan",
    linear: ["lstm_tangent_scan", "lstm_adjoint_scan"],
    gates: 4,
    states: 2,
};
