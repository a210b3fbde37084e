"""The board server's messages, in a descriptor pool of our own.

`pynq.remote` registers the same file and message names in protobuf's default pool, and generated `_pb2` modules tie a
package to one protobuf major. A private pool filled from the compiled `protos/` has neither problem. The classes
appear here by their message names; `messages.pyi` lists them with their fields.
"""

from importlib import resources

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

POOL = DescriptorPool()

_compiled = FileDescriptorSet.FromString(resources.files(__package__).joinpath("descriptors.binpb").read_bytes())
FILE_NAMES = tuple(file.name for file in _compiled.file)

for _file in _compiled.file:
    POOL.AddSerializedFile(_file.SerializeToString())

for _name in FILE_NAMES:
    for _descriptor in POOL.FindFileByName(_name).message_types_by_name.values():
        globals()[_descriptor.name] = GetMessageClass(_descriptor)
