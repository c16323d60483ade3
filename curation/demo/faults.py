"""The faults that are planted in pictures. Faults of captions, files and copies are planted where those are made."""

import cv2
import numpy as np

PICTURE_FAULTS = ("still", "slideshow", "flicker", "blur", "dark", "letterbox", "pillarbox", "text", "logo")
PLANTED_FAULTS = (*PICTURE_FAULTS, "wrong_caption", "near_duplicate")
"""Faults that single scenes get; `exact_duplicate`, `resolution_jump`, `byte_copy` and `corrupt` befall whole files."""

_STILL_INSTANT_S = 1.5
_SLIDE_S = 0.7
_BAR = 0.125  # of the height or width, on each of the two sides
_SPEECH = "we never said that the river would be kind to those who cross it late at night without a lamp"
_FONT = cv2.FONT_HERSHEY_DUPLEX


def shown_instant(fault: str, t_s: float) -> float:
    """Gives the instant of the scene that is shown, which a frozen scene repeats.

    Args:
        fault: A planted fault, or the empty string.
        t_s: Seconds since the scene began.

    Returns:
        Seconds since the scene began.
    """
    if fault == "still":
        return _STILL_INSTANT_S
    if fault == "slideshow":
        return float(np.floor(t_s / _SLIDE_S)) * _SLIDE_S
    return t_s


def spoil(fault: str, image: np.ndarray, t_s: float, seed: int) -> np.ndarray:
    """Plants a fault in a picture.

    Args:
        fault: A planted fault, or the empty string; those that need no pixels return the picture as it is.
        image: uint8 (H, W, 3) RGB; may be changed in place.
        t_s: Seconds since the scene began.
        seed: Chooses the words of a burnt-in text and the corner of a logo.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    match fault:
        case "flicker":
            return cv2.convertScaleAbs(image, alpha=0.75 + 0.35 * float(np.sin(2 * np.pi * 5.3 * t_s)))
        case "blur":
            return cv2.GaussianBlur(image, (0, 0), image.shape[0] / 45)
        case "dark":
            return cv2.convertScaleAbs(image, alpha=0.09)
        case "letterbox":
            return _with_bars(image, round(image.shape[0] * _BAR), 0)
        case "pillarbox":
            return _with_bars(image, 0, round(image.shape[1] * _BAR))
        case "text":
            return _with_subtitle(image, seed)
        case "logo":
            return _with_logo(image, seed)
        case "near_duplicate":
            return _slightly_changed(image)
    return image


def _with_bars(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    inside = image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]
    return cv2.copyMakeBorder(inside, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def _with_subtitle(image: np.ndarray, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    words = _SPEECH.split()
    first = seed % (len(words) - 8)
    scale, line = height / 330, round(height * 0.115)
    for row, part in enumerate((words[first : first + 5], words[first + 5 : first + 8])):
        text = " ".join(part)
        text_width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
        origin = ((width - text_width) // 2, round(height * 0.84) + row * line)
        for right, down in ((-1, -1), (1, -1), (-1, 1), (1, 1), (2, 2)):
            outline = (origin[0] + right, origin[1] + down)
            cv2.putText(image, text, outline, _FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
        cv2.putText(image, text, origin, _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return image


def _with_logo(image: np.ndarray, seed: int) -> np.ndarray:
    height, width = image.shape[:2]
    side = round(height * 0.17)
    margin = round(height * 0.05)
    left = margin if seed % 2 else width - margin - side
    corner = image[margin : margin + side, left : left + side]
    badge = np.full_like(corner, (206, 20, 60))
    cv2.rectangle(badge, (1, 1), (side - 2, side - 2), (255, 255, 255), max(1, side // 14))
    cv2.putText(
        badge, "TV", (round(side * 0.14), round(side * 0.68)), _FONT, side / 52, (255, 255, 255), 1, cv2.LINE_AA
    )
    corner[:] = cv2.addWeighted(badge, 0.85, corner, 0.15, 0)
    return image


def _slightly_changed(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    rows, columns = round(height * 0.02), round(width * 0.02)
    inside = image[rows : height - rows, columns : width - columns]
    return cv2.resize(cv2.convertScaleAbs(inside, alpha=1.05, beta=3), (width, height), interpolation=cv2.INTER_AREA)
