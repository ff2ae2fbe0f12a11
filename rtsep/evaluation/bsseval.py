"""BSSEval v4 as the community reports it: museval's SDR in windows of one second, the median of a song's windows.

The median over songs of these medians is the figure in papers on MUSDB18. Windows in which a stem is silent have no SDR.
"""

from __future__ import annotations

import numpy as np

from rtsep.errors import UsageError
from rtsep.models.separator import Audio


def median_sdr(truth: dict[str, Audio], estimates: dict[str, Audio], rate: int) -> dict[str, float]:
    """Median over one-second windows of BSSEval v4 SDR, per stem.

    Args:
        truth: `[2, frames]` by stem.
        estimates: the same stems, same length.
        rate: Hz.

    Returns:
        dB per stem; a stem that is silent throughout is left out.

    Raises:
        UsageError: museval is not installed.
    """
    try:
        import museval
    except ImportError as error:
        raise UsageError("BSSEval needs museval. Install it with: pip install 'rtsep[eval]', or give --no-bsseval.") from error
    stems = [stem for stem, wave in truth.items() if np.any(wave)]
    if not stems:
        return {}
    references = np.stack([truth[stem].T for stem in stems]).astype(np.float64)
    guesses = np.stack([estimates[stem].T for stem in stems]).astype(np.float64)
    sdr, _, _, _ = museval.evaluate(references, guesses, win=rate, hop=rate, mode="v4", padding=True)
    medians = {stem: float(np.nanmedian(row)) for stem, row in zip(stems, sdr, strict=True) if not np.isnan(row).all()}
    return medians
