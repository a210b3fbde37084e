"""Everything that knows gRPC and protobuf."""
