// Package device tells from where a guess at an account's secret comes: from a device that holds a token of an earlier log-in,
// from a network that the account has logged in from before, or from anybody. Each gets a budget of its own in package
// lockout, so that strangers who spend theirs do not lock the owner out.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 3: an account is locked when wrong passwords are entered continuously. With one
// counter for everybody that rule is a weapon: whoever knows a name can lock its owner out. The tokens are those of the OWASP
// article on device cookies ("Slow Down Online Guessing Attacks with Device Cookies").
//
// # In short
//
//	tokens, err := device.New(keys, device.Policy{}, device.NewMemory(1<<20), &device.Options{Authorizer: rules, Recorder: trail})
//	familiar, err := device.NewFamiliar(device.Networks{}, key, nil)
//	sort := device.Classifier{Tokens: tokens, Familiar: familiar}
//
//	who := device.Owner{Tenant: "acme", Account: "ann"}
//	from := sort.Classify(ctx, who, cookie, ip) // before the guess: lockout.Class(from.Class), from.Device
//	// ... after a success alone:
//	familiar.Learn(who, ip)
//	cookie, dev, err := tokens.Renew(ctx, who, cookie) // send it as a cookie: HttpOnly, Secure, SameSite=Strict
//
// # Promises
//
// A token is the HMAC-SHA-256 of its version, the identifier of the key, the tenant, the account, the device, the time of issue and
// the account's epoch. Nobody without a key makes one, and a token of one account is worth nothing for another, nor in another
// tenant. It holds no name: who reads it learns a key's number, a random identifier and a time. It is compared in constant time.
//
// The newest key signs; older ones verify until they are retired. A token ends by its age, by the retirement of its key, by the
// revocation of its device, or by a new epoch of its account, which ends all of them at once. When the register of revocations does
// not answer, no token counts.
//
// A token opens nothing. It says which budget is spent, and the secret is asked for all the same.
//
// Familiar networks take a fixed amount of memory and keep no name and no address, only bits under a key. With no more networks than
// they are made for, a strange network passes for a familiar one less than 3 times in 1,000 (measured in the tests); a familiar one
// never for a strange one until it is forgotten.
//
// # What it will not do
//
// Bind a token to a device: who steals the cookie has it. A thief gets the device's budget of guesses, no more, until the device
// is revoked. Keep cookies apart from each other: send one for each account, or the last account alone.
//
// Tell users behind one address apart, or know the true address behind a proxy: give it the one that your own front end has seen.
// Share familiar networks between nodes: give each the same snapshot, or send an account's log-ins to one node.
package device
