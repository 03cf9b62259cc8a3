// Reads texts in UTF-8, one a line, and writes for each what ICU says: the text, its skeleton (both as code points) and its
// restriction level. cc icu.c -licui18n -licuuc; it wrote uts39.txt with ICU 72.1, of Unicode 15.0.
#include <stdio.h>
#include <string.h>
#include <unicode/uset.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

static void print(const UChar *s, int32_t n) {
	for (int32_t i = 0; i < n;) {
		const char *space = i ? " " : "";
		UChar32 c;
		U16_NEXT(s, i, n, c);
		printf("%s%04X", space, c);
	}
}

int main(void) {
	UErrorCode e = U_ZERO_ERROR;
	USpoofChecker *all = uspoof_open(&e), *level = uspoof_open(&e);
	USet *recommended = uset_openEmpty();
	uset_addAll(recommended, uspoof_getRecommendedSet(&e));
	uset_addAll(recommended, uspoof_getInclusionSet(&e));
	uspoof_setAllowedChars(level, recommended, &e);
	USpoofCheckResult *result = uspoof_openCheckResult(&e);
	uspoof_setChecks(level, USPOOF_RESTRICTION_LEVEL | USPOOF_CHAR_LIMIT | USPOOF_AUX_INFO, &e);
	uspoof_setRestrictionLevel(level, USPOOF_ASCII);
	char line[4096];
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		UChar text[2048], skeleton[4096];
		int32_t n, m;
		u_strFromUTF8(text, 2048, &n, line, -1, &e);
		m = uspoof_getSkeleton(all, 0, text, n, skeleton, 4096, &e);
		uspoof_check2(level, text, n, result, &e);
		int word = uspoof_getCheckResultRestrictionLevel(result, &e);
		print(text, n);
		printf(" ; ");
		print(skeleton, m);
		printf(" ; %s\n", word == USPOOF_ASCII ? "ascii" : word == USPOOF_SINGLE_SCRIPT_RESTRICTIVE ? "single-script" :
			word == USPOOF_HIGHLY_RESTRICTIVE ? "highly-restrictive" :
			word == USPOOF_MODERATELY_RESTRICTIVE ? "moderately-restrictive" :
			word == USPOOF_MINIMALLY_RESTRICTIVE ? "minimally-restrictive" : "unrestricted");
	}
	return U_FAILURE(e);
}
