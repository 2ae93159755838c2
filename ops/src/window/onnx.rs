//! Convolutions and pools of ONNX: how their windows move, and how ours are written.

use synfire_runtime::define::Wire;

use super::{Motion, Pooling, Rounding, Sliding};
use crate::host::window::Padding;
use crate::onnx::{Attribute, Emit, Node, sizes};

/// One size for each axis.
struct Geometry<const N: usize> {
    kernel: [usize; N],
    stride: [usize; N],
    dilation: [usize; N],
    /// Padding before and after; none where it depends on the extent of the output.
    padding: Option<[[usize; N]; 2]>,
    /// Whether what is odd of a padding that is computed goes before.
    is_lower: bool,
}

fn geometry<const N: usize>(node: &Node<'_>, kernel: [usize; N]) -> Result<Geometry<N>, String> {
    let [stride, dilation] = [node.steps("strides", 1)?, node.steps("dilations", 1)?];
    if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
        return Err(format!("window {kernel:?}, strides {stride:?}, dilations {dilation:?}"));
    }
    let pads = node.integers("pads")?.map_or(Ok(vec![0; 2 * N]), |own| sizes("pads", &own))?;
    let sides: [[usize; N]; 2] = match pads.split_at_checked(N) {
        Some((before, after)) if after.len() == N => {
            [before, after].map(|side| std::array::from_fn(|axis| side[axis]))
        }
        _ => return Err(format!("`pads` is {pads:?}, wanted {} of them", 2 * N)),
    };
    let automatic = node.text("auto_pad", "NOTSET")?;
    let padding = match &*automatic {
        "NOTSET" => Some(sides),
        "VALID" => Some([[0; N]; 2]),
        "SAME_UPPER" | "SAME_LOWER" => None,
        other => return Err(format!("`auto_pad` is `{other}`")),
    };
    let is_lower = automatic == "SAME_LOWER";
    Ok(Geometry { kernel, stride, dilation, padding, is_lower })
}

impl<const N: usize> Geometry<N> {
    /// So much padding in all, as evenly as it can be.
    fn halves(&self, total: [usize; N]) -> [[usize; N]; 2] {
        let (less, more) = (total.map(|n| n / 2), total.map(|n| n.div_ceil(2)));
        if self.is_lower { [more, less] } else { [less, more] }
    }

    fn span(&self, axis: usize) -> usize {
        self.dilation[axis].saturating_mul(self.kernel[axis] - 1).saturating_add(1)
    }

    /// The padding over an image of these extents.
    fn over(&self, extent: [usize; N]) -> [[usize; N]; 2] {
        self.padding.unwrap_or_else(|| {
            self.halves(std::array::from_fn(|axis| {
                let places = extent[axis].div_ceil(self.stride[axis]);
                let covered = places.saturating_sub(1) * self.stride[axis];
                covered.saturating_add(self.span(axis)).saturating_sub(extent[axis])
            }))
        })
    }
}

/// The extents of the last `N` axes.
fn pixels<const N: usize>(node: &Node<'_>, x: Wire) -> Result<[usize; N], String> {
    let spec = node.spec_of(x)?;
    let own = &spec.dimensions[spec.rank() - N..];
    if own.iter().any(|dimension| dimension.is_bounded()) {
        return Err(format!("{spec}, wanted the last {N} dimensions fixed"));
    }
    Ok(std::array::from_fn(|axis| own[axis].bound()))
}

/// The extents of a weight behind its channels.
fn taps<const N: usize>(node: &Node<'_>, weight: Wire) -> Result<[usize; N], String> {
    let extents = node.spec_of(weight)?.bounds();
    let taps: Option<[usize; N]> = extents.get(2..).and_then(|taps| taps.try_into().ok());
    let taps = taps.ok_or_else(|| format!("a weight of {extents:?}, wanted {} axes", N + 2))?;
    match node.integers("kernel_shape")? {
        Some(given) if sizes("kernel_shape", &given)? != taps => {
            Err(format!("`kernel_shape` is {given:?}, the weight's {taps:?}"))
        }
        _ => Ok(taps),
    }
}

fn groups(node: &Node<'_>) -> Result<usize, String> {
    let groups = node.integer("group", 1)?;
    let some = usize::try_from(groups).ok().filter(|&groups| groups > 0);
    some.ok_or_else(|| format!("`group` is {groups}"))
}

/// How the window of a convolution moves.
pub(crate) fn sliding<const N: usize>(
    node: &Node<'_>,
    x: Wire,
    weight: Wire,
) -> Result<Sliding<N>, String> {
    let geometry = geometry(node, taps(node, weight)?)?;
    let [before, after] = geometry.over(pixels(node, x)?);
    let Geometry { stride, dilation, .. } = geometry;
    Ok(Sliding { stride, dilation, before, after, groups: groups(node)?, ..Sliding::PLAIN })
}

/// How that of a transposed one moves, and how much longer its output is.
pub(crate) fn transposed<const N: usize>(
    node: &Node<'_>,
    x: Wire,
    weight: Wire,
) -> Result<(Sliding<N>, [usize; N]), String> {
    let geometry = geometry(node, taps(node, weight)?)?;
    let more: [usize; N] = node.steps("output_padding", 0)?;
    let extent: [usize; N] = pixels(node, x)?;
    let Geometry { stride, dilation, .. } = geometry;
    let wanted: Option<[usize; N]> = match node.integers("output_shape")? {
        Some(_) => Some(node.steps("output_shape", 0)?),
        None if geometry.padding.is_none() => {
            Some(std::array::from_fn(|axis| extent[axis].saturating_mul(stride[axis])))
        }
        None => None,
    };
    let [before, after] = match (wanted, geometry.padding) {
        (None, Some(padding)) => padding,
        (None, None) => [[0; N]; 2],
        (Some(wanted), _) => {
            let mut total = [0; N];
            for axis in 0..N {
                let all = extent[axis].saturating_sub(1).saturating_mul(stride[axis]);
                let all = all.saturating_add(geometry.span(axis)).saturating_add(more[axis]);
                let cut = all.checked_sub(wanted[axis]);
                total[axis] =
                    cut.ok_or_else(|| format!("an output of {wanted:?}, of {all} made"))?;
            }
            // Without a word what is odd goes before.
            let odd = geometry.padding.is_some();
            Geometry { is_lower: geometry.is_lower || odd, ..geometry }.halves(total)
        }
    };
    let groups = groups(node)?;
    Ok((Sliding { stride, dilation, before, after, groups, ..Sliding::PLAIN }, more))
}

/// How the window of a pool moves, and its dilation.
pub(crate) fn pooling<const N: usize>(
    node: &Node<'_>,
    x: Wire,
) -> Result<(Pooling<N>, [usize; N]), String> {
    if node.attribute("kernel_shape").is_none() {
        return Err("no `kernel_shape`".into());
    }
    let geometry = geometry::<N>(node, node.steps("kernel_shape", 1)?)?;
    let [before, after] = geometry.over(pixels(node, x)?);
    let rounding = match node.flag("ceil_mode", false)? {
        true => Rounding::Ceiling,
        false => Rounding::Floor,
    };
    let Geometry { kernel, stride, dilation, .. } = geometry;
    Ok((Pooling { kernel, stride, before, after, rounding }, dilation))
}

/// The attributes of a pool.
pub(crate) fn of_pool(
    kernel: [usize; 2],
    motion: Motion,
    rounding: Rounding,
) -> Vec<(&'static str, Attribute)> {
    let Padding { top, bottom, left, right } = motion.padding;
    vec![
        ("kernel_shape", kernel.into()),
        ("strides", motion.stride.into()),
        ("pads", [top, left, bottom, right].into()),
        ("ceil_mode", i64::from(rounding == Rounding::Ceiling).into()),
    ]
}

/// Writes an operator over images; one image alone is a batch of one there.
pub(crate) fn as_batch(emit: &mut Emit<'_>, kind: &'static str, attributes: &[(&str, Attribute)]) {
    let mut inputs = emit.inputs();
    if emit.input_spec(0).rank() == 4 {
        emit.last(kind, &inputs, attributes);
        return;
    }
    let first = emit.integers(&[0]);
    inputs[0] = emit.step("Unsqueeze", &[inputs[0].clone(), first.clone()], &[]);
    let y = emit.step(kind, &inputs, attributes);
    emit.last("Squeeze", &[y, first], &[]);
}
