//! The `synfire` command.
fn main() {}
