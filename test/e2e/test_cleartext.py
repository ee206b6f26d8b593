"""What is said without TLS."""


def test_cleartext_from_this_machine_is_for_development(world):
    token = world.at()["access_token"]
    assert world.server.introspect(token, world.rs1, clear=True).json["active"] is True
