"""Replicas of a space: its layers, and what is exchanged with them."""

from ramax.sync.authority import Authority, Pending, Replace
from ramax.sync.deciding import Decider
from ramax.sync.directory_layer import DirectoryLayer
from ramax.sync.http_layer import HttpLayer
from ramax.sync.layer import Incoming, Layer, LayerInfo, Refused, SpaceRef, TwoWayLayer, Written
from ramax.sync.memory_layer import MemoryLayer, MemoryPlace
from ramax.sync.quarantine import Quarantined
from ramax.sync.replica import Replica
from ramax.sync.status import LayerStatus, SyncEvent
from ramax.sync.websocket_layer import WebSocketLayer

__all__ = [
    "Authority",
    "Decider",
    "DirectoryLayer",
    "HttpLayer",
    "Incoming",
    "Layer",
    "LayerInfo",
    "LayerStatus",
    "MemoryLayer",
    "MemoryPlace",
    "Pending",
    "Quarantined",
    "Refused",
    "Replace",
    "Replica",
    "SpaceRef",
    "SyncEvent",
    "TwoWayLayer",
    "WebSocketLayer",
    "Written",
]
