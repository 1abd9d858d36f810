"""`python -m scenarios.catalogue` reads all files of the catalogue; it names the first cell that cannot be used."""

import sys

from scenarios import catalogue

if __name__ == "__main__":
    try:
        catalogue.condition_keys()
        catalogue.external_causes()
        catalogue.complication_kinds()
        catalogue.complication_risks()
        catalogue.thresholds()
    except catalogue.CatalogueError as error:
        sys.exit(str(error))
