"""What the frames of a video stream look like."""

from dataclasses import dataclass

from ...errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class VideoMode:
    """The size of frames and of their pixels.

        mode = VideoMode(1280, 720, 24)
        frame = np.zeros(mode.shape, "u1")

    Attributes:
        width: in pixels.
        height: in lines.
        bits_per_pixel: 24 for RGB, 8 for grey.
        fps: frames a second; for people, no hardware is told.
        stride: bytes from one line to the next in memory; those of a line if it is not given.
    """

    width: int
    height: int
    bits_per_pixel: int
    fps: float = 60
    stride: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.bits_per_pixel) < 1:
            raise InvalidArgument(f"{self}: width, height and bits_per_pixel are at least 1")

        if not self.stride:
            object.__setattr__(self, "stride", self.bytes_per_line)

        if self.stride < self.bytes_per_line:
            raise InvalidArgument(f"{self}: a line has {self.bytes_per_line} bytes, more than the stride")

    @property
    def bytes_per_pixel(self) -> int:
        """Whole bytes that a pixel takes."""
        return (self.bits_per_pixel + 7) // 8

    @property
    def bytes_per_line(self) -> int:
        """Bytes of the pixels of one line."""
        return self.width * self.bytes_per_pixel

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame as an array of bytes: (height, width), with a third axis for pixels of many bytes."""
        pixel = () if self.bytes_per_pixel == 1 else (self.bytes_per_pixel,)
        return (self.height, self.width, *pixel)
