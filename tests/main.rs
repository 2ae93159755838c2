//! Integration tests of the way through: define, check, place, plan, launch, stream, simulate.

mod fixture; // operators whose numbers show order and loss

mod checking; // faults before anything runs
mod conformance; // cases of PyTorch
mod control; // runs under a supervisor
mod differentiation; // gradients as graphs
mod flow; // tokens through launched plans
mod fusion; // the same bits, fused or not
mod planning; // orders, capacities, memory, files
mod training; // steps, data, the driver
mod state; // parameters that are updated, runs that go on
mod simulation; // thousands of schedules
mod perception; // the main job's model
mod onnx; // models of other frameworks
mod tidy; // house rules
