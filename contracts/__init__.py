"""Words that all packages share: names, errors, problem documents, payloads and ports. It has no behaviour."""
