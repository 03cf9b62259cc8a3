package name

import "unicode"

// Level is how freely a text mixes scripts: the restriction levels of Unicode UTS #39, section 5.2.
type Level string

// The levels, the strictest first. Beyond HighlyRestrictive a policy does not go.
const (
	ASCII                 Level = "ascii"                  // basic Latin alone; what the empty Level in a Policy stands for
	SingleScript          Level = "single-script"          // all of one script; Japanese, Korean and Han with Bopomofo count as one
	HighlyRestrictive     Level = "highly-restrictive"     // Latin beside Japanese, Korean, or Han with Bopomofo too
	ModeratelyRestrictive Level = "moderately-restrictive" // Latin beside one other script that is not Cyrillic or Greek
	MinimallyRestrictive  Level = "minimally-restrictive"  // any recommended characters
	Unrestricted          Level = "unrestricted"
)

// LevelOf returns the strictest level that s meets.
func LevelOf(s string) Level {
	ascii, recommended := true, true
	all := set{1<<64 - 1, 1<<64 - 1, 1<<64 - 1}
	one, beside := all, all // what each character, and each that is not Latin, is written in
	japanese, korean, chinese := true, true, true
	latin := scriptOf("Latn")
	for _, r := range s {
		in, ok := scriptsOf(r)
		ascii = ascii && r <= unicode.MaxASCII
		recommended = recommended && ok
		one = one.and(in)
		if !in.and(latin).empty() {
			continue
		}
		beside = beside.and(in)
		japanese = japanese && !in.and(scriptOf("Jpan")).empty()
		korean = korean && !in.and(scriptOf("Kore")).empty()
		chinese = chinese && !in.and(scriptOf("Hanb")).empty()
	}
	alike := scriptOf("Cyrl").or(scriptOf("Grek"))
	switch {
	case !recommended:
		return Unrestricted
	case ascii:
		return ASCII
	case !one.empty():
		return SingleScript
	case japanese || korean || chinese:
		return HighlyRestrictive
	case !beside.empty() && beside.and(alike).empty():
		return ModeratelyRestrictive
	}
	return MinimallyRestrictive
}

// rank orders the levels that a policy can ask for; 0 is none of them.
func (l Level) rank() int {
	switch l {
	case ASCII, "":
		return 1
	case SingleScript:
		return 2
	case HighlyRestrictive:
		return 3
	}
	return 0
}

// allows says whether a text of level l may stand where at most this one is asked for.
func (l Level) allows(is Level) bool { return is.rank() != 0 && is.rank() <= l.rank() }

// scriptOf is a script that the table has.
func scriptOf(code string) set {
	s, _ := script(code)
	return s
}
