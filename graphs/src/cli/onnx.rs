//! `synfire import` and `synfire export`: ONNX models in and out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::{IntoDiagnostic, Result, WrapErr, miette};
use synfire_runtime::graph::Graph;
use synfire_runtime::launch::Weights;
use synfire_runtime::place::{Placement, place};
use synfire_runtime::plan::{Limits, plan};
use synfire_runtime::random::Seed;
use synfire_runtime::spec::Dimension;

use super::{Size, say};
use crate::onnx::{Options, export, import_file};
use crate::{atomic, models, weights};

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The model.
    model: PathBuf,
    /// Devices to plan it for, such as `cpu:0,cpu:1`.
    #[arg(long, value_name = "LIST")]
    devices: Option<String>,
    /// An extent that the model leaves open, such as `batch=1` or `x.0=1`; may be given again.
    #[arg(long = "extent", value_name = "NAME=EXTENT", value_parser = extent)]
    extents: Vec<(String, usize)>,
    /// Writes the weights as a safetensors file.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Prints the whole plan.
    #[arg(long)]
    plan: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The model: `ppn`, or an ONNX file to write as Synfire understands it.
    model: String,
    /// The file to write.
    to: PathBuf,
    /// The size of the networks.
    #[arg(long, value_enum, default_value = "compact")]
    config: Size,
    /// Weights in a safetensors file; default: the model's own, or from the seed.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// An extent that an ONNX file leaves open, such as `batch=1`; may be given again.
    #[arg(long = "extent", value_name = "NAME=EXTENT", value_parser = extent)]
    extents: Vec<(String, usize)>,
    /// Key of all randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn extent(text: &str) -> Result<(String, usize), String> {
    let wanted = || format!("`{text}` is no NAME=EXTENT");
    let (name, extent) = text.split_once('=').ok_or_else(wanted)?;
    Ok((name.to_owned(), extent.parse().map_err(|_| wanted())?))
}

fn options(extents: &[(String, usize)]) -> Options {
    let fixed = extents.iter().map(|(name, extent)| (name.clone(), Dimension::Fixed(*extent)));
    Options { dimensions: fixed.collect() }
}

/// Tells what is in a model, and plans it.
pub(super) fn import(arguments: &ImportArguments) -> Result<()> {
    let path = &arguments.model;
    let imported = import_file(path, &options(&arguments.extents));
    let imported = imported.into_diagnostic().wrap_err_with(|| path.display().to_string())?;
    let trained = imported.weights.len();
    let graph = imported.draft.check().into_diagnostic()?;
    tell(&graph, trained);
    if let Some(to) = &arguments.weights {
        let values = Weights::default().first_values(&graph, Seed::default());
        weights::save(to, &values, &str::to_owned).into_diagnostic()?;
        say(&format!("weights     {}", to.display()));
    }
    let devices = super::devices(arguments.devices.as_deref())?;
    let first = devices.iter().next().map(|(name, _)| name.to_owned()).unwrap_or_default();
    let wishes = match arguments.devices {
        Some(_) => Placement::new(),
        None => Placement::new().on("", &first),
    };
    let placed = place(&graph, &devices, &wishes).into_diagnostic()?;
    let plan = plan(&placed, &Limits::default()).into_diagnostic()?;
    let text = plan.explain();
    if arguments.plan {
        say(&text);
    } else {
        text.lines().take(1).for_each(say);
    }
    Ok(())
}

fn tell(graph: &Graph, trained: usize) {
    for (path, spec) in graph.feeds() {
        say(&format!("input       {path}: {spec}"));
    }
    for (path, spec) in graph.outlets() {
        say(&format!("output      {path}: {spec}"));
    }
    say(&format!("parameters  {} in {trained} tensors", graph.parameters()));
    say(&format!("macs        {} an iteration", graph.macs()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, operator, _) in graph.nodes() {
        *counts.entry(operator).or_default() += 1;
    }
    let counts = counts.iter().map(|(name, count)| format!("{name} x {count}"));
    say(&format!("nodes       {}", counts.collect::<Vec<_>>().join(", ")));
}

/// Writes a model.
pub(super) fn write(arguments: &ExportArguments) -> Result<()> {
    let path = Path::new(&arguments.model);
    let draft = match (arguments.model.as_str(), path.extension()) {
        ("ppn", _) => models::perception::ppn::draft(&arguments.config.config()),
        (_, Some(kind)) if kind == "onnx" => {
            import_file(path, &options(&arguments.extents)).into_diagnostic()?.draft
        }
        (other, _) => {
            return Err(miette!("no model `{other}`; wanted `ppn` or a file that ends in .onnx"));
        }
    };
    let graph = draft.check().into_diagnostic()?;
    let own = match &arguments.weights {
        Some(file) => weights::load(file, &graph, &str::to_owned).into_diagnostic()?,
        None => Weights::default(),
    };
    let bytes = export(&graph, &own, Seed(arguments.seed)).into_diagnostic()?;
    let to = &arguments.to;
    atomic::write(to, &bytes).into_diagnostic().wrap_err_with(|| to.display().to_string())?;
    say(&format!("{} bytes in {}", bytes.len(), to.display()));
    Ok(())
}
