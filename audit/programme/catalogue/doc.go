// Package catalogue holds the requirements that an audit measures by, as data: those of Recommendation ITU-T X.1642 are
// built in ([X1642]), and a company's own are read from YAML ([Parse]).
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.2, names six categories of audits; clauses 7 and 8 are what is required of a
// provider and its customers. The built-in catalogue has all of that, numbered and in our own words: read the
// Recommendation for what it says. Where a control of NIST SP 800-53 Rev. 5 asks for the same, its id stands beside.
//
// # Most of what you need
//
//	c := catalogue.X1642()
//	for r := range c.Of("keys") {
//		fmt.Println(r.ID, r.Title) // what an audit of key management looks at
//	}
//	own, err := catalogue.Parse(file) // a catalogue of your own
//
// # The form
//
// A catalogue is one YAML document. Its values are texts, lists of texts, and lists of fields; those marked with a star may
// be left out:
//
//	id: house                     # lower-case letters, digits, '.', '_' and '-', up to 64
//	title: House rules            # one line
//	version: "3"                  # like id; a plan names id and version, "house/3"
//	source: Security office       # * where the requirements come from
//	categories:                   # *
//	- id: doors                   # like id, once
//	  title: Doors and keys
//	  requirement: H-1            # * the one that demands audits of this category
//	requirements:
//	- id: H-1                     # up to 64 bytes without spaces, once
//	  clause: "1"                 # * of the source
//	  title: Doors are audited
//	  text: Once a year somebody tries every door.
//	  categories: [doors]         # * ids from above
//	  refs:                       # * by framework, ids of what asks for the same
//	    NIST SP 800-53 Rev. 5: [pe-3]
//
// # Promises
//
// What Parse returns is valid, and all that the file says: a field that is not in the form, one that stands twice, an id
// that stands twice, a category that is not there, is refused with its line ([SyntaxError]). Anchors, aliases, tags and
// further documents are refused, and so is a file that is larger than [MaxBytes] or has more than 65,536 commas and
// brackets: the worst that we could make of the rest takes a second.
//
// # What it will not do
//
// Say whether a requirement is met: that is what procedures find out. Translate between frameworks: a reference says that
// two texts ask for the same in our reading, not that who meets the one meets the other.
package catalogue
