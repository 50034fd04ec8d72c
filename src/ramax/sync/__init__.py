"""Replicas of a space: its layers, and what is exchanged with them."""

from ramax.sync.directory_layer import DirectoryLayer
from ramax.sync.layer import Incoming, Layer, LayerInfo, Refused, SpaceRef, TwoWayLayer, Written
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.sync.replica import Replica
from ramax.sync.status import LayerStatus, SyncEvent

__all__ = [
    "DirectoryLayer",
    "Incoming",
    "Layer",
    "LayerInfo",
    "LayerStatus",
    "MemoryLayer",
    "MemoryPlace",
    "Refused",
    "Replica",
    "SpaceRef",
    "SyncEvent",
    "TwoWayLayer",
    "Written",
]
