// Package retention decides which restore points are kept, and says why: as restic, borg or Proxmox Backup Server would, by the calendar,
// or by number. Whatever the rules say, guards keep what a restore needs.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: the backup strategy, of which the retention (how many copies are kept) is a part, and the
// prudence with chains in which a point is of no use once another is destroyed.
//
// # In short
//
//	policy, err := retention.ParsePolicy(file) // {"semantics": "calendar", "zone": "Europe/Vienna", "daily": 7, "weekly": 5, "monthly": 12}
//	result, err := retention.Plan(points, policy, time.Now())
//	for _, d := range result.Decisions {
//		fmt.Println(d.ID, d.Keep, d.Explain())
//	}
//	lost, err := retention.Shortened(policy, shorter, points, time.Now())
//
// # Promises
//
// No kept point lacks a parent that is in the list. The newest point of each group stays, by a time that is believed and by any, and the
// newest that was found whole together with a chain that is all there; so does what is on hold, locked in its store, not yet replicated,
// or younger than the policy's least age by the store's own clock.
//
// A time that a host claims, and that is further from when the store received the point than [Policy].Tolerance, is not believed: the
// point is judged by when it was received, and takes the place of no point in a count whose time is believed. A point whose time has not
// come yet stays, and takes no place either; so does one without a received time, unless the policy has SkipReceived.
//
// What is kept stays kept when the same policy is applied to it at the same time. With Restic, Calendar and Copies greater counts keep all that
// smaller ones do; with Borg too, but for [All], which does not fill up with the oldest point as a count does. With Proxmox they need not: a
// rule also covers the points that it passes over, and no coarser one sees them. [Policy.AtLeast] knows.
//
// All periods are of one zone of the IANA database, never that of the machine; weeks are of ISO 8601, with its years. Counts are of
// periods before the newest point, not before now, so that a machine which was off loses nothing for that; but Borg's Within is from now, as borg's is.
//
// # What it will not do
//
// Delete anything; package catalogue does, after approval and a delay. Know who sets the fields of a [Point]: all but Claimed have to come
// from the store or the catalogue. Tell a good point from one that a host in foreign hands has made in time: with Last and Copies, as
// many of these as the count push all others out, so that such counts want a rule by the calendar or a least age beside them.
package retention
