"""Pure array code: windows, STFT, overlap-add, re-blocking, resampling. No torch, no threads, no devices."""
