// Package rewrap moves what old keys protect to the key that protects now, object by object, and counts what is left on
// each: without "no object left on key 3" key 3 is not destroyed.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: an integrated key management with use, update and destruction of keys; 7.2.2.2:
// data is deleted permanently, and so must not be deleted by mistake.
//
// # Most of what you need
//
//	job := rewrap.Job{Set: set, Name: "volumes", To: keyset.Primary}
//	driver, err := rewrap.New(job, volumes, rewrap.Envelopes(ring), rewrap.Policy{}, rewrap.Options{
//		Authorizer: auth, Recorder: log, Save: saveCheckpoint,
//	})
//	reached, err := driver.Run(ctx, operator, loadCheckpoint()) // interrupted, it goes on from what was saved
//	part, err := rewrap.Count(ctx, "volumes", volumes, rewrap.Envelope{}, time.Now)
//	report := rewrap.Report{Set: set, Parts: []rewrap.Part{part}}
//	census, err := report.Census(3, "volumes") // for lifecycle.Manager.Count
//
// [Objects] is yours: a table, a bucket, a collection of a store. What is rewrapped is a whole ciphertext
// ([Ciphertexts]), which may itself be a wrapped data key, or the data key at the head of an envelope ([Envelopes]), where
// the data itself is neither read through nor written anew.
//
// # Promises
//
// An object is replaced only if it is as it was read. A second run over the same objects changes nothing. A run that dies
// at any point is gone on with from the last checkpoint that was saved: nothing is left out. An object that does not open is
// left as it is, reported and counted, and a run that met one ends with an error, a [*PoisonedError]. A run whose ring does
// not yet know the new key stops, rather than protect under the old one again.
//
// # What it will not do
//
// Hold objects that are written under the old key while it runs or after it: deactivate the key first, wait until every
// node knows, then count. Rewrap destroys nothing: an old backup of the objects still opens with the old key.
package rewrap
