"""How many floating-point operations a second GPUs are published to reach: dense, without sparsity."""

import re

PEAK_TFLOPS: dict[str, tuple[float, float]] = {
    # name as CUDA tells it, in lower case: bfloat16 (or float16) with float32 sums, float32; NVIDIA's data sheets.
    # The first that is found in the name counts, so the longer names come first.
    "b200": (2250, 75),
    "gh200": (990, 67),
    "h200 nvl": (835, 60),
    "h200": (989, 67),
    "h100 nvl": (835, 60),
    "h100 pcie": (756, 51),
    "h100": (989, 67),
    "a100": (312, 19.5),
    "a800": (312, 19.5),
    "rtx a6000": (154.8, 38.7),
    "rtx 6000 ada": (364.2, 91.1),
    "a40": (149.7, 37.4),
    "a30": (165, 10.3),
    "a10g": (70, 35),
    "a10": (125, 31.2),
    "l40s": (362, 91.6),
    "l40": (181, 90.5),
    "l4": (121, 30.3),
    "rtx 4090": (165.2, 82.6),
    "rtx 3090": (71, 35.6),
    "v100-pcie": (112, 14),
    "v100": (125, 15.7),
    "t4": (65, 8.1),
}


def peak_flops(device_name: str, precision: str) -> float | None:
    """Published peak of a GPU, operations a second.

    Args:
        device_name: as `torch.cuda.get_device_name` tells it.
        precision: as Lightning's trainer calls it, such as `bf16-mixed`; `32-true` counts plain float32, so TF32 may
            pass a utilisation of 1.

    Returns:
        None for a device that is not in the table; `watch.peak_tflops` tells it then.
    """
    found = next((peaks for name, peaks in PEAK_TFLOPS.items() if re.search(rf"\b{name}\b", device_name.lower())), None)
    return None if found is None else 1e12 * found[0 if "16" in precision else 1]
