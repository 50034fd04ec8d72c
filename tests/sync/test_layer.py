from ramax.sync.layer import Layer, LayerInfo, SpaceRef, TwoWayLayer, Written


def test_the_values_of_a_layer_have_defaults_that_every_layer_can_keep():
    assert SpaceRef("notes").space_uid is None
    info = LayerInfo(None, None)
    assert (info.max_records, info.max_bytes) == (500, 1 << 20)
    assert Written({}).refused == ()


class Held:
    layer_id, two_way = "held", False

    async def open(self, ref): ...
    async def vector(self): ...
    def read(self, since, limit=500): ...
    async def write(self, records): ...
    async def load_secrets(self): ...
    async def save_secrets(self, sealed): ...
    async def aclose(self): ...


def test_a_one_way_layer_is_no_two_way_layer():
    assert isinstance(Held(), Layer)
    assert not isinstance(Held(), TwoWayLayer)
