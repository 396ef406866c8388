#!/usr/bin/env bash
# Opens, updates or closes the only issue about drift: drift-issue.sh REPORT
# The environment variable PAGES contains the exit code of `drift docs`, which checks the vendor's pages. LIVE contains
# the exit code of `drift live`, which checks the live service. RUN is a link to the run of the workflow.
set -euo pipefail
report=$1
touch "$report"
cat "$report" >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"

# GitHub accepts at most 65536 characters in the text of an issue.
body=$(mktemp)
head -c 60000 "$report" > "$body"
printf '\n[The run](%s): pages %s, live %s (0 in sync, 1 drift, 2 could not check).\n' "$RUN" "$PAGES" "$LIVE" >> "$body"

number=$(gh issue list --label drift --state open --limit 1 --json number --jq '.[0].number // empty')
if [ "$PAGES" = 0 ] && [ "$LIVE" = 0 ]; then
  if [ -n "$number" ]; then
    gh issue close "$number" --comment "In sync again: $RUN"
  fi
  exit 0
fi
# A check that failed, for example without a network, is not drift, so the title distinguishes the two cases.
title="Drift could not be checked"
if [ "$PAGES" = 1 ] || [ "$LIVE" = 1 ]; then
  title="Spec drift"
fi
gh label create drift --description "The document differs from the pages or the service" --force
if [ -n "$number" ]; then
  gh issue edit "$number" --title "$title" --body-file "$body"
else
  gh issue create --title "$title" --label drift --body-file "$body"
fi
# The run fails as long as the issue is open.
exit 1
