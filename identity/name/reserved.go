package name

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reserved refuses what is, or looks like, a reserved name.
func (p Policy) reserved(n Name) error {
	if len(p.Reserved) == 0 {
		return nil
	}
	looks := coarse(n.Skeleton)
	paired := pairs(looks)
	for _, one := range p.Reserved {
		base, open := strings.CutSuffix(one, "*")
		want := coarse(Skeleton(base))
		if looks == want || open && strings.HasPrefix(looks, want) || paired == want || open && strings.HasPrefix(paired, want) {
			return refuseLike(Reserved, one)
		}
	}
	return nil
}

// coarse is a skeleton in which letters and digits alone count, without the marks above, below and across them, and digits for
// the letters that people write with them: adm1n, 4dmin, ad.min and ádmin all read as admin. It is for reserved names only: two
// users may be called so.
func coarse(skeleton string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'i':
			return 'l'
		case '3':
			return 'e'
		case '4', '@':
			return 'a'
		case '5', '$':
			return 's'
		case '7':
			return 't'
		}
		switch {
		case r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			return r
		case !unicode.In(r, unicode.L, unicode.M, unicode.Nd) || adorns(r):
			return -1
		}
		return r
	}, skeleton)
}

// pairs puts one letter for two that look like it, of which Unicode's table knows nothing. (It has rn for m.)
func pairs(coarse string) string {
	return strings.ReplaceAll(strings.ReplaceAll(coarse, "vv", "w"), "cl", "d")
}

// adorns says whether r is a mark across its letter, or above, below or beside it as in Latin, Greek and Cyrillic: those of other
// scripts have combining classes of their own, and are a part of the word.
func adorns(r rune) bool {
	const overlay, attached = 1, 200
	ccc := norm.NFD.PropertiesString(string(r)).CCC()
	return ccc == overlay || ccc >= attached
}
