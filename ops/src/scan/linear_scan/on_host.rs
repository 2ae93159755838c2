//! The scan over maps `h -> a * h + b` on the host.

use synfire_runtime::firing::Firing;
use synfire_runtime::operator::Workspace;

use super::{Element, FireError, Kernel, LinearScan, Specs};
use crate::host::scan::{Place, Scan, scan, workspace};
use crate::reduce::reduction::Addend;

pub(super) struct OnHost {
    operator: LinearScan,
    workspace: Workspace,
}

impl OnHost {
    pub(super) fn new(operator: LinearScan, specs: &Specs<'_>) -> Self {
        let workspace = workspace::<Maps<'_, f32>>(&specs.inputs[0], operator.axis);
        Self { operator, workspace }
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        self.workspace
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        match firing.input(0).spec().element {
            Element::F32 => on_host::<f32>(self.operator, firing),
            _ => on_host::<f64>(self.operator, firing),
        }
    }
}

fn on_host<T>(operator: LinearScan, firing: &mut Firing<'_>) -> Result<(), FireError>
where
    T: Addend<Wide = f64, Total = T>,
{
    let LinearScan { axis, is_lagged, has_initial, .. } = operator;
    let extents = operator.common(&|port| firing.input(port).extents())?;
    let initial = has_initial.then(|| firing.input(2).elements());
    let (a, b) = (firing.input(0).elements(), firing.input(1).elements());
    let maps: Maps<'_, T> = Maps { a, b, initial, is_lagged };
    let (mut h, scratch) = (firing.output(0), firing.scratch());
    h.set_extents(&extents);
    let course = (&extents[..], axis, operator.course());
    scan(firing.crew(), &maps, course, h.elements::<T>(), scratch);
    Ok(())
}

/// The scan over maps `h -> a * h + b`; the state is such a map, of which `b` is `h`.
struct Maps<'a, T> {
    a: &'a [T],
    b: &'a [T],
    initial: Option<&'a [T]>,
    is_lagged: bool,
}

impl<T: Addend<Wide = f64, Total = T>> Scan for Maps<'_, T> {
    type State = [f64; 2];
    type Out = T;
    const NOTHING: [f64; 2] = [1.0, 0.0];

    fn start(&self, line: usize) -> [f64; 2] {
        [1.0, self.initial.map_or(0.0, |initial| initial[line].widen())]
    }

    #[inline]
    fn step(&self, [factor, h]: [f64; 2], place: Place) -> [f64; 2] {
        let a = match (place.before, self.is_lagged) {
            (Some(before), true) => self.a[before].widen(),
            (None, _) if self.initial.is_none() => 0.0,
            _ => self.a[place.at].widen(),
        };
        [factor * a, a * h + self.b[place.at].widen()]
    }

    fn merge([_, h]: [f64; 2], [factor, b]: [f64; 2]) -> Option<[f64; 2]> {
        factor.is_finite().then_some([1.0, factor * h + b])
    }

    #[inline]
    fn out([_, h]: [f64; 2]) -> T {
        T::total(h)
    }
}
