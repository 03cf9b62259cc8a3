// Package export writes entries of the transparency log for other systems to read, each with its proof, and reads them
// back: as JSON lines, as events of OCSF 1.8.0, and as syslog (RFC 5424), which a [Sender] carries over TLS (RFC 5425).
// What somebody changed in a SIEM's copy is found by that copy alone.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: audit trails are collected and kept in an agreed way. Clause 8.1.2 says what
// they hold of a log-in and of a change of permissions; the classes Authentication and Authorize Session carry that.
//
// # In short
//
//	x, err := export.New(export.Policy{Origin: "log.example.org/audit"})
//	// ...
//	line, err = x.Append(line[:0], export.OCSF, &record) // or JSON, or Syslog
//
//	s, err := export.NewSender("collector.example.org:6514", &tls.Config{RootCAs: roots, Certificates: mine}, nil)
//	// ...
//	err = s.Send(ctx, messages...)
//	err = s.Flush(ctx) // nil: the collector has read them; keep the place in the log
//
//	for line, err := range export.Read(file) {
//		// ...
//		record, err := x.Verify(line, open) // then prove record.LeafHash at record.Index
//	}
//
// Which class of OCSF an event becomes is data: a [Mapping], with rules of yours before [DefaultMapping].
//
// # Promises
//
// A line stays a line. Control characters, C1 controls, U+2028 and U+2029 are escaped in every form, bytes that are not
// UTF-8 become U+FFFD, and the value of a secret attribute is left out.
//
// Every form carries origin, index, leaf hash, leaf, evidence, and size and root of a checkpoint: as members of the JSON
// object, of unmapped in OCSF, of the message in syslog, whose structured data repeat all but leaf and evidence. Every
// OCSF event holds the whole event in unmapped as well.
//
// [Exporter.Verify] trusts no field. It proves the event by leaf and evidence, writes the line again, and compares.
//
// A nil from [Sender.Flush] means that the collector's TLS took all that was sent, in order, and then ended the connection
// with ours; what was not confirmed is sent again. Each message arrives at least once; its index tells a repetition, and a
// gap in the indexes a loss.
//
// # What it will not do
//
// Verify does not prove that the entry is in the log: index, size and root are the line's claim, until an inclusion proof.
// A line that is missing altogether is seen by the gap in the indexes alone. Who can change a copy can take values out of
// it, so that they read as masked or erased: the evidence for less needs no key. No value can be put in another's place.
//
// Syslog has no acknowledgement. A collector that reads messages and then loses them, because it is killed with its queue
// in memory, its disk is full, or it says close_notify with messages read and not handled, has confirmed them all the
// same. Give it a queue on disk, and compare the indexes it holds. Where the operating system is not Linux, the Sender
// cannot see that TCP has acknowledged everything, and a collector that goes away in the moment of a Flush may not have
// read the last messages.
//
// RFC 5424 asks collectors for 2,048 bytes a message and advises 8,192; a message here is often 2,000 to 10,000 bytes and
// at most [MaxLine]. Raise the collector's limit (rsyslog: maxMessageSize), or a truncated line will not read back.
package export
