"""The test suites that the vendors ship with their SDKs, run direct and through Holdfast."""
