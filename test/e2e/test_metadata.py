"""RFC 8414."""


def test_metadata(world):
    """R8414-3-1 R8414-3.2-1 R8414-2-1 R8414-2-2 R8414-2-4 R8414-2-9 R8414-2-10 R8414-2-13 R8414-2-14 R8414-2-15 R7009-2-4 R6749-3.2-1"""
    reply = world.server.get("/.well-known/oauth-authorization-server")
    document = reply.json
    assert reply.status == 200 and reply.header("Content-Type") == "application/json" and document["issuer"] == world.server.issuer
    for name in ("token", "introspection", "revocation"):
        assert document[f"{name}_endpoint"].startswith(world.server.issuer + "/oauth2/")
    assert document["grant_types_supported"] == ["client_credentials", "refresh_token"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    assert b"[]" not in reply.body and document["response_types_supported"]
