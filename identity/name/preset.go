package name

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Presets returns the policies that this package knows, with their sources:
//
//	recommendation   letters of any recommended script, unmixed; our reading of X.1642, 8.1.1, and UTS #39
//	portable         what POSIX lets every system have as a user's name, in small letters
//
// Each is a copy: change it and give it to a Directory.
func Presets() []Policy {
	return []Policy{
		{
			Name:        "recommendation",
			Source:      "ITU-T X.1642 8.1.1; RFC 8265; UTS #39 highly restrictive; reserved: RFC 2142 and names of systems",
			Min:         3,
			Max:         64,
			Level:       HighlyRestrictive,
			Marks:       3,
			Punctuation: ".-_",
			Reserved:    append(mailboxes(), systems()...),
		},
		{
			Name:        "portable",
			Source:      "POSIX.1-2017 3.437 and 3.282; 32 as Linux has it; reserved: RFC 2142 and names of systems",
			Min:         1,
			Max:         32,
			Level:       ASCII,
			Punctuation: ".-_",
			Reserved:    append(mailboxes(), systems()...),
		},
	}
}

// Preset returns the policy of this name in [Presets], or an error that wraps [opsec.ErrNotFound].
func Preset(name string) (Policy, error) {
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("name: preset of %d bytes: %w", len(name), opsec.ErrNotFound)
}

// mailboxes are those that RFC 2142 gives a meaning.
func mailboxes() []string {
	return []string{
		"info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster", "hostmaster", "usenet", "news",
		"webmaster", "www", "uucp", "ftp",
	}
}

// systems are names that people or programs take for the system itself.
func systems() []string {
	return []string{
		"admin*", "root", "system", "sysadmin", "superuser", "daemon", "nobody", "anonymous", "guest", "everyone", "public",
		"operator", "helpdesk", "moderator", "official", "service", "null", "undefined", "none", "me", "self",
	}
}
