"""The ground truth of the demo corpus as tables: what every file, scene and cut really is.

Times are those that a decoder reports for the finished files, so they hold for what stands on disk.
"""

import pyarrow as pa

from shards.schema import field

PATH = field("path", pa.string(), "file name below `videos/`")
SPAN = [
    field("start_pts", pa.int64(), "first frame", "ticks of the time base"),
    field("end_pts", pa.int64(), "end, exclusive; for a hard cut equal to start_pts", "ticks of the time base"),
    field("time_base_num", pa.int32(), "numerator of the time base", "s"),
    field("time_base_den", pa.int32(), "denominator of the time base", "1"),
]

VIDEOS = pa.schema(
    [
        PATH,
        field("codec", pa.string(), "h264 | mpeg4 | vp9 | hevc | av1 | mjpeg; null for a file that is no video"),
        field("container", pa.string(), "mp4 | mkv | mov | webm | avi | ts; null for a file that is no video"),
        field("fps", pa.float64(), "frames a second; null where it varies and for files without frames", "1/s"),
        field("width", pa.int32(), "of the first frame as displayed; null without frames", "px"),
        field("height", pa.int32(), "of the first frame as displayed; null without frames", "px"),
        field("num_frames", pa.int64(), "frames that decode", "frames"),
        field("duration_s", pa.float64(), "end of the last frame minus first frame", "s"),
        field(
            "tags",
            pa.list_(pa.string()),
            "variable_frame_rate | rotated | resolution_jump | non_ascii_name | truncated | corrupt_payload |"
            " corrupt_header | byte_copy | remux | empty | text | audio_only",
        ),
        field("expected_status", pa.string(), "ok when at least one frame decodes, else failed"),
        field("copy_of", pa.string(), "the video that a byte copy or a remux copies; null for others"),
    ]
)

SCENES = pa.schema(
    [
        PATH,
        field("scene_index", pa.int32(), "position in the video, from 0"),
        *SPAN,
        field("start_s", pa.float64(), "start, counted from the video's first frame", "s"),
        field("end_s", pa.float64(), "end, counted from the video's first frame", "s"),
        field("caption", pa.string(), "what the scene shows; the user's captions say otherwise under wrong_caption"),
        field(
            "faults",
            pa.list_(pa.string()),
            "still | slideshow | flicker | blur | dark | letterbox | pillarbox | text | logo | wrong_caption |"
            " near_duplicate | exact_duplicate | byte_copy | resolution_jump | corrupt; empty for a good scene",
        ),
        field("duplicate_of", pa.string(), "`path#scene_index` of the scene it copies; null for others"),
    ]
)

CUTS = pa.schema([PATH, field("kind", pa.string(), "how one scene becomes the next: hard | dissolve | fade"), *SPAN])

FAULTS = pa.schema(
    [
        PATH,
        field("scene_index", pa.int32(), "the scene; null when the fault is the whole file's"),
        field("fault", pa.string(), "a fault of `scenes` or a tag of `videos`"),
    ]
)

CAPTIONS = pa.schema(
    [
        field("path", pa.string(), "file, relative to the folder of this table"),
        field("start_s", pa.float64(), "start, counted from the video's first frame", "s"),
        field("end_s", pa.float64(), "end, exclusive", "s"),
        field("text", pa.string(), "what a user says that the span shows"),
        field("source", pa.string(), "who says so"),
    ]
)

TABLES = {"videos": VIDEOS, "scenes": SCENES, "cuts": CUTS, "faults": FAULTS}
