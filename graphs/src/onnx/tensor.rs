//! Tensors of ONNX files and our values: element types, and bytes in the file or beside it.

use std::path::{Component, Path};

use synfire_ops::onnx::{element, element_number, elements, sizes};
use synfire_ops::sample::tensor;
use synfire_runtime::spec::{Element, RANK_MAX};
use synfire_runtime::value::Value;

use super::proto;

/// More bytes than any tensor of a model of ours has.
pub(super) const BYTES_MAX: usize = 8 << 30;

/// The tensor as a value; `folder` is where other files of the model are, if it is in a folder.
pub(super) fn value(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Value, String> {
    let element = element(i64::from(tensor.data_type))?;
    let extents = extents(&tensor.dims)?;
    let count = extents.iter().try_fold(1_usize, |n, &extent| n.checked_mul(extent));
    let bytes = count.and_then(|count| count.checked_mul(element.bytes()));
    let bytes = bytes.filter(|&bytes| bytes <= BYTES_MAX);
    let bytes =
        bytes.ok_or_else(|| format!("extents {extents:?}, wanted at most {BYTES_MAX} bytes"))?;
    let data = match (tensor.data_location, tensor.raw_data.is_empty()) {
        (0, true) => listed(tensor, element),
        (0, false) => tensor.raw_data.clone(),
        _ => beside(&tensor.external_data, folder, bytes)?,
    };
    if data.len() != bytes {
        return Err(format!("{} bytes for {extents:?} of {element}, wanted {bytes}", data.len()));
    }
    let data = match element {
        Element::Bool => data.into_iter().map(|byte| u8::from(byte != 0)).collect(),
        _ => data,
    };
    Ok(Value::from_bytes(element, &extents, data))
}

fn extents(dims: &[i64]) -> Result<Vec<usize>, String> {
    if dims.len() > RANK_MAX {
        return Err(format!("{} dimensions, wanted at most {RANK_MAX}", dims.len()));
    }
    let extents = sizes("dims", dims)?;
    elements(&extents).map(|_| extents)
}

/// Elements that are listed one by one, in the field that the format gives their type.
fn listed(tensor: &proto::Tensor, element: Element) -> Vec<u8> {
    let words = &tensor.int32_data;
    match element {
        Element::F32 => bytes(&tensor.float_data, |x| x.to_le_bytes()),
        Element::F64 => bytes(&tensor.double_data, |x| x.to_le_bytes()),
        Element::I64 => bytes(&tensor.int64_data, |x| x.to_le_bytes()),
        Element::I32 => bytes(words, |x| x.to_le_bytes()),
        Element::F16 | Element::BF16 => bytes(words, |x| (x as u16).to_le_bytes()),
        Element::U8 | Element::Bool => bytes(words, |x| [x as u8]),
    }
}

fn bytes<T: Copy, const N: usize>(list: &[T], of: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    list.iter().flat_map(|&one| of(one)).collect()
}

/// Bytes of another file in the model's folder; never of one elsewhere.
fn beside(
    entries: &[proto::Entry],
    folder: Option<&Path>,
    bytes: usize,
) -> Result<Vec<u8>, String> {
    use std::io::{Read, Seek, SeekFrom};

    let of = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let location = of("location").ok_or("bytes in another file, which is not named")?;
    let folder = folder.ok_or_else(|| format!("bytes in {location}, wanted them in the model"))?;
    let is_inside = Path::new(location).components().all(|c| matches!(c, Component::Normal(_)));
    if !is_inside {
        return Err(format!("bytes in {location}, which is outside of the model's folder"));
    }
    let offset = of("offset").map_or(Ok(0), |offset| offset.parse::<u64>());
    let offset = offset.map_err(|_| format!("an offset in {location} that is no number"))?;
    let failed = |error: std::io::Error| format!("{location}: {error}");
    let mut file = std::fs::File::open(folder.join(location)).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if offset.checked_add(bytes as u64).is_none_or(|end| end > length) {
        return Err(format!("{location} has {length} bytes, wanted {bytes} from {offset} on"));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut data = vec![0; bytes];
    file.read_exact(&mut data).map_err(failed)?;
    Ok(data)
}

/// A value as a tensor of the format.
pub(super) fn written(name: &str, value: &Value) -> proto::Tensor {
    proto::Tensor {
        name: name.to_owned(),
        dims: value.extents.iter().map(|&extent| extent as i64).collect(),
        data_type: element_number(value.element) as i32,
        raw_data: value.bytes().to_vec(),
        ..proto::Tensor::default()
    }
}

/// The numbers of a value.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    tensor(value).data
}
