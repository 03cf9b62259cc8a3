// Package statement says which data is encrypted, with which algorithm and which key, in storage, in backups and on the
// wire, as it is and not as it was meant to be; and compares that with what was promised.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 7.2.2.2, data encryption: it is stated which data is encrypted in storage and
// transmission, with details of the algorithms. Clause 8.2: the implementation of encryption is clearly defined in the
// security clause of the service level agreement. Clause 8.1.2: authentication and authorization data are encrypted in
// storage and transmission.
//
// # Most of what you need
//
//	uses := []statement.Use{
//		{Data: "volumes", Where: statement.Storage, At: "eu-1", Keyset: set},
//		{Data: "volumes", Where: statement.Backup, At: "vault-2", Keyset: backups},
//		{Data: "credentials", Where: statement.Transit, At: "api", Channel: &observed},
//	}
//	s, err := statement.Build(ctx, manager, "acme", uses, now)
//	for _, d := range s.Check(claims) {
//		fmt.Println(d) // storage volumes at eu-1, key 2 of acme/volumes: weak: AES128_GCM has 128 bits, promised are 256
//	}
//
// [Statement.CBOM] writes the same as a bill of materials that other tools read (CycloneDX 1.6).
//
// A [Claim] is plain data, so that a clause of an agreement can carry it.
//
// # Promises
//
// What a key is comes from the keys' own records, key by key: an old key that still opens data is in the statement until it
// is destroyed. What is claimed and not covered is a discrepancy, and so is what is there and not claimed. The same input
// gives the same statement.
//
// # What it will not do
//
// Find data that nobody declares, or look at connections: a [Channel] says what somebody has seen, and when.
package statement
