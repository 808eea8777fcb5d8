//! The file of weights that the detector embeds.

use crate::model::Model;

/// Scale, bias and one signed byte a slot.
pub(crate) fn bytes(model: &Model) -> Vec<u8> {
    let most = model.weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
    // A few weights far out would leave the others too coarse.
    let mut sizes: Vec<f32> = model.weights.iter().map(|w| w.abs()).filter(|w| *w > 0.0).collect();
    sizes.sort_by(f32::total_cmp);
    let limit = sizes.get(sizes.len() * 999 / 1000).copied().unwrap_or(most);
    let scale = if limit > 0.0 { limit / 127.0 } else { 1.0 };
    let mut out = Vec::with_capacity(8 + model.weights.len());
    out.extend(scale.to_le_bytes());
    out.extend(model.bias.to_le_bytes());
    out.extend(
        model.weights.iter().map(|w| ((w / scale).round().clamp(-127.0, 127.0) as i8).cast_unsigned()),
    );
    out
}
