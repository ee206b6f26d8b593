-- Asks Assay's judge endpoint about each request, as `auth_request` does in nginx. HAProxy 2.5 or newer.
-- What it answers goes into variables: the status, and what is to be copied.
core.register_action("assay_judge", { "http-req" }, function(txn, url)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if name == "authorization" or name == "cookie" then
            headers[name] = {}
            for i = 0, #values do
                table.insert(headers[name], values[i])
            end
        end
    end
    local reply = core.httpclient():get({ url = url, headers = headers, timeout = 4000 })
    txn:set_var("txn.assay_status", reply and reply.status or 503)
    local function first(name)
        local values = reply and reply.headers and reply.headers[name]
        return values and values[0] or ""
    end
    txn:set_var("txn.assay_user", first("x-user"))
    txn:set_var("txn.assay_challenge", first("www-authenticate"))
end, 1)
