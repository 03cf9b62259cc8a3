// Package transit configures TLS so that data is protected on its way, and says of each connection how: with which
// protocol, key exchange, cipher and peer.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: data is encrypted in transit. What [Describe] says of connections is what a
// statement of what is encrypted, and how (7.2.2.2), is compared with.
//
// # Most of what you need
//
//	files, err := transit.NewFiles("server.crt", "server.key", nil)
//	config, err := transit.Server(transit.Policy{}, files, customersCAs) // TLS 1.3, client certificates
//	listener, err := tls.Listen("tcp", ":8443", config)
//
//	config, err := transit.Client(transit.Policy{RequireHybrid: true}, mine, providersCAs)
//	conn, err := tls.Dial("tcp", "kms.example.org:8443", config)
//	fmt.Println(transit.Describe(conn.ConnectionState())) // TLS 1.3, X25519MLKEM768, TLS_AES_128_GCM_SHA256, peer verified
//
// What a server has seen so becomes a channel of package statement:
//
//	seen := transit.Describe(state)
//	statement.Channel{Protocol: seen.Protocol, Cipher: seen.Cipher, KeyExchange: seen.KeyExchange, Mutual: seen.PeerVerified, Seen: now}
//
// # Promises
//
// The zero [Policy] is the strict one: TLS 1.3 alone, and a server that asks each client for a certificate of one of its
// authorities. Whoever has no such certificate gets no connection. A server with client certificates resumes no session,
// so that each connection proves anew who is there.
//
// Key exchanges that a quantum computer does not break are preferred, and required on demand: then a peer without one, or a
// process that has them switched off by GODEBUG=tlsmlkem=0, gets no connection.
//
// Certificates that are renewed on disk are taken without a restart, the new pair as a whole or not at all; a renewal that
// went wrong leaves the old one in use, and says so.
//
// # What it will not do
//
// Know who may connect: a certificate of an authority is all that it asks for. Set VerifyConnection for more, such as names
// or revocation. Take new authorities without a restart. Choose the cipher of TLS 1.3, which Go does not let one do.
package transit
