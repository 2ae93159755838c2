//! The laws over the whole catalogue: one named test for each sample of each entry.

use libtest_mimic::{Arguments, Trial};
use synfire_ops::{CATALOG, laws};

fn main() {
    let arguments = Arguments::from_args();
    let trials = CATALOG.iter().flat_map(|entry| {
        (entry.samples)().into_iter().map(|sample| {
            let operator = sample.operator.contract().name;
            let name = format!("{}::{}::{operator}: {}", entry.kind, entry.name, sample.name);
            Trial::test(name, move || laws::host(&sample).map_err(Into::into))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
