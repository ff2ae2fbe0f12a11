"""How good a separation is: signal-to-distortion ratios against known stems, and the reports made of them."""
