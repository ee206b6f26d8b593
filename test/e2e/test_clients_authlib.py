"""A client that no one here wrote: Authlib."""


def test_authlib_gets_introspects_and_revokes(world):
    """A client that no one here wrote."""
    from authlib.integrations.requests_client import OAuth2Session
    server = world.server
    ca = str(server.dir / "cert.pem")
    session = OAuth2Session(*world.cl1, token_endpoint_auth_method="client_secret_basic")
    token = session.fetch_token(server.issuer + "/oauth2/token", grant_type="client_credentials", verify=ca)["access_token"]
    rs = OAuth2Session(*world.rs1, token_endpoint_auth_method="client_secret_basic")
    ask = lambda: rs.introspect_token(server.issuer + "/oauth2/introspect", token=token, verify=ca).json()
    assert ask()["active"] is True
    assert session.revoke_token(server.issuer + "/oauth2/revoke", token=token, verify=ca).status_code == 200
    assert ask() == {"active": False}
