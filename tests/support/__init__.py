"""What tests share: the plugin with its fixtures, real servers, the command line, and waiting. No test lives here."""
